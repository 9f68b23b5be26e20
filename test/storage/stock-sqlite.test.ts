/** Files go both ways between this server and a stock Hocuspocus with `@hocuspocus/extension-sqlite`. */
import { SQLite } from "@hocuspocus/extension-sqlite";
import { Server } from "@hocuspocus/server";
import { expect, onTestFinished, test } from "vitest";
import { connect, type Client } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { tempDatabase } from "../support/temp-dir.ts";

/** The stock server, as its documentation sets it up. */
async function startStock(path: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = new Server({
    port: 0,
    address: "127.0.0.1",
    quiet: true,
    stopOnSignals: false,
    extensions: [new SQLite({ database: path })],
  });
  await server.listen();
  let hasStopped = false;
  const stop = async (): Promise<void> => {
    if (hasStopped) return;
    hasStopped = true;
    await server.destroy();
  };
  onTestFinished(stop);
  return { url: server.webSocketURL, stop };
}

async function type(client: Client, text: string): Promise<void> {
  await client.synced();
  client.text.insert(client.text.length, text);
  await client.saved();
  client.leave();
}

/** Stopped in an orderly way, which merges all journals: a stock server knows snapshots only. */
async function stopped(server: ServerProcess): Promise<void> {
  expect((await server.ended("SIGTERM")).code).toBe(0);
}

test("[S6] a file goes from stock to ours, back, and again, and every edit is there", async () => {
  const { path, url } = tempDatabase();
  for (let round = 1; round <= 2; round++) {
    const stock = await startStock(path);
    await type(connect({ url: stock.url, name: "room" }), `stock${round} `);
    await stock.stop();
    const ours = await startProcess({ DATABASE_URL: url });
    await type(connect({ url: ours.url, name: "room" }), `ours${round} `);
    await stopped(ours);
  }
  const stock = await startStock(path);
  const reader = await connect({ url: stock.url, name: "room" }).synced();
  expect(reader.content).toBe("stock1 ours1 stock2 ours2 ");
});

test("[S6] an orderly stop leaves all of a room in its snapshot, even of one that cannot unload", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const direct = await server.rooms.openDirectConnection("room");
  await direct.transact((document) => document.getText("text").insert(0, "by the server"));
  expect(await server.stop()).toBe(0);
  const stock = await startStock(path);
  expect((await connect({ url: stock.url, name: "room" }).synced()).content).toBe("by the server");
});

test("[S6] rooms that a crash left in the journal are in their snapshots after the next orderly stop, visited or not", async () => {
  const { path, url } = tempDatabase();
  const crashed = await startProcess({ DATABASE_URL: url });
  const writer = await connect({ url: crashed.url, name: "room" }).synced();
  writer.text.insert(0, "before the crash");
  await writer.saved();
  writer.leave();
  await crashed.ended("SIGKILL");
  await stopped(await startProcess({ DATABASE_URL: url }));
  const stock = await startStock(path);
  expect((await connect({ url: stock.url, name: "room" }).synced()).content).toBe("before the crash");
});
