/** Stock Hocuspocus that asks the same backend as ours, the way its documentation shows: a call for each login, in `onAuthenticate`. */
import { createHmac } from "node:crypto";
import { SQLite } from "@hocuspocus/extension-sqlite";
import { Server } from "@hocuspocus/server";

const [database] = process.argv.slice(2);
const { AUTH_WEBHOOK_URL: url, AUTH_WEBHOOK_SECRET: secret } = process.env;
if (database === undefined || url === undefined || secret === undefined)
  throw new Error("usage: AUTH_WEBHOOK_URL=… AUTH_WEBHOOK_SECRET=… stock-webhook.ts <database file>");

const server = new Server({
  extensions: [new SQLite({ database })],
  async onAuthenticate({ token, documentName, connectionConfig }) {
    const body = JSON.stringify({ token, room: documentName, ip: null, origin: null, userAgent: null });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-collab-timestamp": timestamp,
        "x-collab-signature": `sha256=${signature}`,
      },
      body,
    });
    if (!response.ok) throw new Error(`The backend answered ${response.status}`);
    const { user, access } = (await response.json()) as { user: object; access: string };
    connectionConfig.readOnly = access === "read";
    return { user };
  },
});
server.configuration.port = 0;
server.configuration.address = "127.0.0.1";
await server.listen();
console.log(JSON.stringify({ event: "listening", port: server.address.port }));
