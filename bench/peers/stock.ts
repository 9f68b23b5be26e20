/**
 * Hocuspocus as its documentation starts it: `Server` with the SQLite extension on a file, and with the Redis extension where there are several;
 * everything else default.
 */
import { Redis } from "@hocuspocus/extension-redis";
import { SQLite } from "@hocuspocus/extension-sqlite";
import { Server } from "@hocuspocus/server";

const [database, redisUrl] = process.argv.slice(2);
if (database === undefined) throw new Error("usage: stock.ts <database file> [<redis URL>]");

const server = new Server({
  extensions: [new SQLite({ database }), ...(redisUrl === undefined ? [] : [redisAt(new URL(redisUrl))])],
});
// Port 0 would read as "not given" in listen(): it has to come with the configuration.
server.configuration.port = 0;
server.configuration.address = "127.0.0.1";
await server.listen();
console.log(JSON.stringify({ event: "listening", port: server.address.port }));

function redisAt({ hostname: host, port }: URL): Redis {
  return new Redis({ host, port: Number(port) });
}
