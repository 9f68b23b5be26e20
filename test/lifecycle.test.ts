/** The whole product as a team has it: NestJS issues tokens and decides, two people edit one room, and the log tells its story. */
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { startBackend } from "./support/backend.ts";
import { connect } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { RawClient } from "./support/raw-client.ts";
import { ServerProcess, startProcess } from "./support/server-process.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";

/** Of a line, as pino numbers it. */
const ERROR = 50;

const LIFE = ["room-created", "user-joined", "connection-left", "room-unloaded"];

/** The emoji of each step of a room's life, in the order of the log. */
const story = (server: ServerProcess): string[] =>
  server.events(...LIFE).map((line) => line.msg.split(" ")[0] ?? "");

test("[L1] [A2] two people log in at NestJS, edit task-list-1 together, see each other, and find every task later", async () => {
  const backend = await startBackend();
  const { url: DATABASE_URL } = tempDatabase();
  const env = { ...backend.serverEnv, DATABASE_URL, ROOM_IDLE_SECONDS: "0.5" };
  const server = await startProcess(env);
  const [ana, ben] = await Promise.all(
    ["ana", "ben"].map(async (user) =>
      connect({ url: server.url, name: "task-list-1", token: await backend.login(user) }).synced(),
    ),
  );
  if (!ana || !ben) throw new Error("two clients");

  // At the same time, on the same tasks.
  for (let i = 0; i < 50; i++) {
    ana.tasks.set(`ana-${i}`, { title: `Task ${i}`, done: false });
    ben.tasks.set(`ben-${i}`, { title: `Task ${i}`, done: false });
    ana.tasks.set("shared", `ana ${i}`);
    ben.tasks.set("shared", `ben ${i}`);
  }
  await Promise.all([ana.saved(), ben.saved()]);
  await until("both have all", () => ana.tasks.size === 101 && ben.tasks.size === 101);
  expect(ana.tasks.toJSON()).toEqual(ben.tasks.toJSON());
  const agreed = ana.tasks.toJSON();

  ana.provider.setAwarenessField("user", { name: "Ana" });
  ben.provider.setAwarenessField("user", { name: "Ben" });
  const names = (client: typeof ana): unknown[] =>
    [...(client.provider.awareness?.getStates().values() ?? [])]
      .map((state) => state["user"]?.name)
      .toSorted();
  await until("presence on both sides", () =>
    [ana, ben].every((client) => names(client).join() === "Ana,Ben"),
  );
  ben.leave();
  await until("Ben's presence gone", () => names(ana).join() === "Ana");
  ana.leave();

  await server.logged("unloaded", (line) => line.event === "room-unloaded");
  expect(story(server)).toEqual(["🏠", "👥", "👥", "👋", "👋", "🧹"]);
  expect(
    server
      .events("user-joined")
      .map((line) => line.user)
      .toSorted(),
  ).toEqual(["ana", "ben"]);
  expect(server.events(...LIFE).every((line) => line.room === "task-list-1")).toBe(true);
  expect(server.events("connection-left").map((line) => line["connections"])).toEqual([1, 0]);

  // A third person finds every task after the unload, and after a restart.
  const cleo = await connect({
    url: server.url,
    name: "task-list-1",
    token: await backend.login("cleo"),
  }).synced();
  expect(cleo.tasks.toJSON()).toEqual(agreed);
  cleo.leave();
  expect((await server.ended("SIGTERM")).code).toBe(0);
  const restarted = await startProcess(env);
  const again = await connect({
    url: restarted.url,
    name: "task-list-1",
    token: await backend.login("cleo"),
  }).synced();
  expect(again.tasks.toJSON()).toEqual(agreed);
});

test("[L2] neither tokens nor document content are ever logged", async () => {
  const backend = await startBackend();
  const server = await startProcess({ ...backend.serverEnv, LOG_LEVEL: "trace", ROOM_IDLE_SECONDS: "0" });
  const token = await backend.login("ana");
  const ana = await connect({ url: server.url, name: "task-list-1", token }).synced();
  ana.text.insert(0, "a very private sentence");
  await ana.saved();
  const refused = connect({ url: server.url, name: "task-list-1", token: `${token}x` });
  await refused.denied();
  ana.leave();
  await server.logged("unloaded", (line) => line.event === "room-unloaded");
  const everything = JSON.stringify(server.lines) + server.stderr;
  expect(everything).toContain("🔐");
  expect(everything).not.toContain(token.split(".")[2]);
  expect(everything).not.toContain("private");
});

test("[L3] LOG_LEVEL=trace adds the hooks of extension-logger to the same log", async () => {
  const server = await startProcess({ LOG_LEVEL: "trace" });
  const client = await connect({ url: server.url, name: "room" }).synced();
  client.text.insert(0, "x");
  await client.saved();
  await server.logged(
    "a change",
    (line) => line.event === "hook" && line.msg.includes('Document "room" changed.'),
  );
  expect(server.lines.every((line) => line.level > 0)).toBe(true);
});

test("[L4] LOG_FORMAT=pretty writes the same lines for people", async () => {
  const server = new ServerProcess({ LOG_FORMAT: "pretty", DATABASE_URL: "memory:" });
  await server.logged("the rocket", (line) => line.msg.includes("🚀 Listening on http://127.0.0.1:"));
  expect((await server.ended("SIGTERM")).code).toBe(0);
});

test("[L4] what a library prints becomes a line of the same log", async () => {
  const server = await startProcess();
  const client = await new RawClient(server.url).opened();
  // Hocuspocus prints why it cannot read it.
  client.send("room", MessageType.Auth);
  await client.closed();
  await server.logged("its line", ({ event, level }) => event === "library" && level === ERROR);
  expect(server.stderr).toBe("");
});

test("[L1] the server's own connection to a room leaves without a user", async () => {
  const server = await startComposition({ ROOM_IDLE_SECONDS: "0" });
  const direct = await server.rooms.openDirectConnection("room");
  await direct.disconnect();
  await until("unloaded", () => server.log.events("room-unloaded").length > 0);
  expect(
    server.log.events("connection-left", "room-unloaded").map(({ event, user }) => [event, user]),
  ).toEqual([
    ["connection-left", undefined],
    ["room-unloaded", undefined],
  ]);
  expect(server.guard.failures).toBe(0);
});
