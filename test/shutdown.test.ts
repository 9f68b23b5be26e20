/** Every situation in which a stock Hocuspocus does not stop, or stops wrongly. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import Database from "better-sqlite3";
import { MessageType } from "@hocuspocus/server";
import { expect, onTestFinished, test } from "vitest";
import { closeReasons } from "../lib/close-reasons.ts";
import { runShutdown } from "../lib/shutdown.ts";
import type { ClientSocket } from "../transport/client-socket.ts";
import { captureLog } from "./support/captured-log.ts";
import { connect } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { RawClient, refusedUpgrade } from "./support/raw-client.ts";
import { ServerProcess, startProcess } from "./support/server-process.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";

const never = new Promise<never>(() => {});

function lockedBy(path: string): { release: () => void } {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  db.exec("BEGIN IMMEDIATE");
  return { release: () => db.exec("ROLLBACK") };
}

test("[D1] SIGTERM: clients hear 1012, edits on their way are saved, exit 0 at once", async () => {
  const { url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "room" }).synced();
  await client.saved();
  client.text.insert(0, "last words");
  await client.saved();
  const result = await server.ended("SIGTERM");
  expect(result).toMatchObject({ code: 0 });
  expect(result.ms).toBeLessThan(3000);
  expect(client.closes[0]).toEqual({ code: 1012, reason: "server-restarting" });
  client.leave();
  const next = await startProcess({ DATABASE_URL: url });
  expect((await connect({ url: next.url, name: "room" }).synced()).content).toBe("last words");
});

test("[D1] SIGINT does the same", async () => {
  const server = await startProcess();
  expect(await server.ended("SIGINT")).toMatchObject({ code: 0 });
});

test("[D1] npm start passes SIGTERM on: npm's exit code is the server's, and nothing is left running", async () => {
  const npm = spawn("npm", ["start"], {
    env: { ...process.env, PORT: "0", HOST: "127.0.0.1", DATABASE_URL: "memory:", LOG_FORMAT: "json" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const lines: string[] = [];
  createInterface(npm.stdout).on("line", (line) => lines.push(line));
  await until("listening", () => lines.some((line) => line.includes('"listening"')));
  npm.kill("SIGTERM");
  const [code] = (await once(npm, "close")) as [number | null];
  expect(code).toBe(0);
  // The pipe closes when the last process that has it ends, so the server is gone, and in order.
  expect(lines.at(-1)).toContain("everything is saved");
});

test("[D1] an idle room that waits for its minute does not hold up the stop", async () => {
  const server = await startProcess({ ROOM_IDLE_SECONDS: "60" });
  const client = await connect({ url: server.url, name: "room" }).synced();
  client.leave();
  await server.logged("left", (line) => line.event === "connection-left");
  const result = await server.ended("SIGTERM");
  expect(result.code).toBe(0);
  expect(result.ms).toBeLessThan(3000);
  expect(server.events("room-unloaded")).toHaveLength(1);
});

test("[D1] a client that never answers the close is cut off", async () => {
  const server = await startProcess();
  const deaf = await new RawClient(server.url).opened();
  deaf.socket.pause();
  const result = await server.ended("SIGTERM");
  expect(result.code).toBe(0);
  expect(result.ms).toBeLessThan(5000);
});

test("[D1] what a client was sent in the turn of its close, an ack or an edit, comes before the close", async () => {
  const server = await startComposition();
  const client = await connect({ url: server.url, name: "room" }).saved();
  const document = server.rooms.documents.get("room");
  const socket = document?.getConnections()[0]?.webSocket as unknown as ClientSocket;
  document?.getText("text").insert(0, "last words");
  socket.closeFor(closeReasons.restarting);
  expect(await client.closedWith(1012)).toMatchObject({ reason: "server-restarting" });
  expect(client.content).toBe("last words");
});

test("[D2] a store that is slow is waited for: exit 0 and everything saved", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "room" }).synced();
  await client.saved();
  const lock = lockedBy(path);
  client.text.insert(0, "waits for the lock");
  await server.logged("trouble", (line) => line.event === "health");
  const ended = server.ended("SIGTERM");
  await server.logged("stopping", (line) => line.event === "stopping");
  client.leave();
  await server.logged("everybody gone", (line) => line.event === "connection-left");
  lock.release();
  expect(await ended).toMatchObject({ code: 0 });
  const next = await startProcess({ DATABASE_URL: url });
  expect((await connect({ url: next.url, name: "room" }).synced()).content).toBe("waits for the lock");
});

test("[D2] a store that never comes back: exit 1 at the deadline, and the log names the rooms", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url, SHUTDOWN_SECONDS: "2" });
  const client = await connect({ url: server.url, name: "room" }).synced();
  await client.saved();
  lockedBy(path);
  client.text.insert(0, "never acknowledged");
  await server.logged("trouble", (line) => line.event === "health");
  expect(client.provider.hasUnsyncedChanges).toBe(true);
  const result = await server.ended("SIGTERM");
  expect(result.code).toBe(1);
  expect(result.ms).toBeLessThan(4000);
  expect(server.events("unsaved")[0]).toMatchObject({ rooms: ["room"] });
});

test("[D3] while it stops, readiness is red and upgrades are answered 503", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url, SHUTDOWN_SECONDS: "20" });
  const client = await connect({ url: server.url, name: "room" }).synced();
  await client.saved();
  const lock = lockedBy(path);
  client.text.insert(0, "x");
  await until("trouble", () => server.log.events("health").length > 0);
  const stopped = server.stop();
  const readiness = await fetch(`http://127.0.0.1:${server.port}/readyz`);
  expect([readiness.status, await readiness.json()]).toMatchObject([503, { parts: { server: "stopping" } }]);
  expect((await refusedUpgrade(server.url)).status).toBe(503);
  client.leave();
  lock.release();
  expect(await stopped).toBe(0);
});

test("[D3] from the first close on, nobody opens new rooms on a socket that is still there", async () => {
  const server = await startComposition();
  const client = await connect({ url: server.url, name: "room" }).synced();
  const opener = await new RawClient(server.url).opened();
  // It keeps its socket for the two seconds that a close may take.
  opener.socket.pause();
  const stopped = server.stop();
  await client.closedWith(1012);
  for (let i = 0; i < 50; i++) opener.login(`new-${i}`);
  // Its answer to the close comes behind all that.
  opener.socket.resume();
  expect(await opener.closed()).toMatchObject({ code: 1012 });
  expect(await stopped).toBe(0);
  expect(server.log.events("room-created").map((line) => line.room)).toEqual(["room"]);
});

test("[D4] a second signal ends the process at once", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "room" }).synced();
  await client.saved();
  lockedBy(path);
  client.text.insert(0, "x");
  await server.logged("trouble", (line) => line.event === "health");
  server.kill("SIGTERM");
  await server.logged("stopping", (line) => line.event === "stopping");
  const result = await server.ended("SIGTERM");
  expect(result.code).toBe(1);
  // A storage worker that waits for the lock, a second at a time, ends only after that.
  expect(result.ms).toBeLessThan(3000);
});

test("[D5] a document open only by a direct connection does not hold up the stop, and is saved", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const direct = await server.rooms.openDirectConnection("room");
  await direct.transact((document) => document.getText("text").insert(0, "by the server"));
  expect(await server.stop()).toBe(0);
  const next = await startComposition({ DATABASE_URL: url });
  expect((await connect({ url: next.url, name: "room" }).synced()).content).toBe("by the server");
});

test("[D5] a room that is still loading does not hold up the stop", async () => {
  const server = await startComposition({}, [{ onLoadDocument: () => never }]);
  const client = await new RawClient(server.url).opened();
  client.login("room");
  await client.received("room", MessageType.Auth);
  await until("loading", () => server.rooms.loadingDocuments.size === 1);
  expect(await server.stop()).toBe(0);
});

test("[D5] an onListen that never settles holds up neither the start nor the stop", async () => {
  const server = await startComposition({}, [{ onListen: () => never }]);
  await connect({ url: server.url, name: "room" }).synced();
  expect(await server.stop()).toBe(0);
});

test.for([
  ["onDisconnect", "throws"],
  ["afterUnloadDocument", "throws"],
  ["beforeUnloadDocument", "throws"],
  ["onDestroy", "throws"],
  ["onDisconnect", "never settles"],
  ["afterUnloadDocument", "never settles"],
  ["beforeUnloadDocument", "never settles"],
  ["onDestroy", "never settles"],
] as const)("[D5] a hook %s that %s does not hold up the stop beyond its deadline", async ([hook, how]) => {
  const broken = (): Promise<void> => (how === "throws" ? Promise.reject(new Error("broken hook")) : never);
  const server = await startComposition({ SHUTDOWN_SECONDS: "2" }, [{ [hook]: broken }]);
  const [client, other] = [
    connect({ url: server.url, name: "room" }),
    connect({ url: server.url, name: "idle" }),
  ];
  await Promise.all([client.synced(), other.synced()]);
  other.leave();
  client.text.insert(0, "x");
  await client.saved();
  const startedAt = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(3500);
});

test("[D5] a step of the stop that fails or hangs is named in the log, and those after it run", async () => {
  const captured = captureLog();
  const ran: string[] = [];
  const steps = [
    { name: "fails", run: () => Promise.reject(new Error("broken")) },
    { name: "hangs", run: () => never },
    { name: "works", run: async () => ran.push("works") },
  ];
  await runShutdown(steps, { deadlineMs: 50, log: captured.log });
  expect(ran).toEqual(["works"]);
  expect(captured.events("stop-incomplete").map(({ step }) => step)).toEqual(["fails", "hangs"]);
});

test("[D6] an error that nobody caught stops the server in order, with exit code 1", async () => {
  const { url } = tempDatabase();
  const server = await startProcess({
    DATABASE_URL: url,
    NODE_OPTIONS: "--import=./test/support/crash-on-sigusr2.mjs",
  });
  const client = await connect({ url: server.url, name: "room" }).synced();
  client.text.insert(0, "saved before");
  await client.saved();
  const closed = once(
    client.provider.configuration.websocketProvider.webSocket as unknown as EventTarget,
    "close",
  );
  server.kill("SIGUSR2");
  expect(await server.ended()).toMatchObject({ code: 1 });
  await closed;
  expect(server.events("crashed")).toHaveLength(1);
  expect(client.closes[0]?.code).toBe(1012);
});

test("[D6] a second error while it stops starts no second stop", async () => {
  const { url, path } = tempDatabase();
  const server = await startProcess({
    DATABASE_URL: url,
    NODE_OPTIONS: "--import=./test/support/crash-on-sigusr2.mjs",
  });
  const client = await connect({ url: server.url, name: "room" }).saved();
  const { release } = lockedBy(path);
  client.text.insert(0, "waits for the disk");
  await server.logged("trouble", ({ event }) => event === "health");
  const crashes = async (count: number): Promise<void> => {
    server.kill("SIGUSR2");
    await until(`${count} errors`, () => server.events("crashed").length === count);
  };
  await crashes(1);
  await crashes(2);
  release();
  expect(await server.ended()).toMatchObject({ code: 1 });
  expect(server.events("stopping")).toHaveLength(1);
});

test("[D5] a start that hangs does not hold up a stop", async () => {
  const silent = createServer();
  onTestFinished(() => void silent.close());
  await once(silent.listen(0, "127.0.0.1"), "listening");
  const { port } = silent.address() as AddressInfo;
  const server = new ServerProcess({ DATABASE_URL: `postgres://collab@127.0.0.1:${port}/collab` });
  onTestFinished(() => server.kill("SIGKILL"));
  await once(silent, "connection");
  expect(await server.ended("SIGTERM")).toMatchObject({ code: 0 });
});

test("[F3] extensions hear of the stop once, when the rooms are gone", async () => {
  const heard: string[] = [];
  const server = await startComposition({}, [
    {
      afterUnloadDocument: async () => void heard.push("unloaded"),
      onDestroy: async () => void heard.push("destroyed"),
    },
  ]);
  await connect({ url: server.url, name: "room" }).synced();
  expect(await server.stop()).toBe(0);
  expect(heard).toEqual(["unloaded", "destroyed"]);
});
