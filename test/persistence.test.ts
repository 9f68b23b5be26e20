import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { textOf } from "./storage/store-contract.ts";
import { connect } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { lockStore } from "./support/locked-store.ts";
import { RawClient, refusedUpgrade } from "./support/raw-client.ts";
import { startProcess } from "./support/server-process.ts";
import { storeText } from "./support/stored-room.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { typed } from "./support/updates.ts";
import { until } from "./support/until.ts";

/** Another program at the file, as a backup or an operator's shell would be. */
function otherProgram(path: string): Database.Database {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  return db;
}

const readiness = async (
  url: string,
): Promise<{ status: number; body: { parts: Record<string, string> } }> => {
  const response = await fetch(`${url.replace(/^ws/, "http")}/readyz`);
  return { status: response.status, body: (await response.json()) as { parts: Record<string, string> } };
};

test("[S2] while the store cannot commit: no ack, others still see the edit, red readiness; then all of it by itself", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const [writer, reader] = [
    connect({ url: server.url, name: "room" }),
    connect({ url: server.url, name: "room" }),
  ];
  await Promise.all([writer.saved(), reader.saved()]);

  const other = otherProgram(path);
  other.exec("BEGIN IMMEDIATE");
  writer.text.insert(0, "held");
  await until("the edit at the other client", () => reader.content === "held");
  await server.logged("trouble", (line) => line.event === "health" && line["storage"] === "failing");
  expect(writer.provider.hasUnsyncedChanges).toBe(true);
  expect(await readiness(server.url)).toMatchObject({
    status: 503,
    body: { parts: { storage: expect.stringContaining("SQLITE_BUSY") } },
  });

  other.exec("ROLLBACK");
  await writer.saved();
  await server.logged("recovery", (line) => line.event === "health" && line["storage"] === "ok");
  expect((await readiness(server.url)).status).toBe(200);
  expect(other.prepare("SELECT count(*) AS n FROM journal WHERE name = 'room'").get()).toEqual({ n: 1 });
});

test("[S2] who asks for a room over an open socket while the store cannot commit is told to come back, and gets in afterwards", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const writer = await connect({ url: server.url, name: "room" }).saved();
  const visitor = await new RawClient(server.url).opened();
  const release = lockStore(path);
  writer.text.insert(0, "x");
  await until("trouble", () => server.log.lines.some((line) => line["storage"] === "failing"));
  visitor.login("another");
  expect(await visitor.closed()).toEqual({ code: 4501, reason: "storage-unavailable" });
  release();
  await writer.saved();
  await connect({ url: server.url, name: "another" }).synced();
});

test("[S2] the event loop stays free while another program holds the file's lock", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const [writer, reader] = [connect({ url: server.url, name: "a" }), connect({ url: server.url, name: "a" })];
  const stuck = connect({ url: server.url, name: "b" });
  await Promise.all([writer.saved(), reader.saved(), stuck.saved()]);
  const other = otherProgram(path);
  other.exec("BEGIN IMMEDIATE");
  stuck.text.insert(0, "x");
  // Ten edits make their way while the worker waits for the lock (a second at a time). With the stock extension none would.
  const startedAt = performance.now();
  for (let i = 1; i <= 10; i++) {
    writer.text.insert(0, "y");
    await until("the edit in the other room", () => reader.text.length === i);
  }
  expect(performance.now() - startedAt).toBeLessThan(1000);
  expect(stuck.provider.hasUnsyncedChanges).toBe(true);
  other.exec("ROLLBACK");
  await Promise.all([stuck.saved(), writer.saved()]);
});

test("[S3] a room that cannot be loaded is refused for now, the provider comes back, and nothing is shown empty", async () => {
  const { path, url } = tempDatabase();
  const first = await startProcess({ DATABASE_URL: url });
  const author = await connect({ url: first.url, name: "room" }).synced();
  author.text.insert(0, "precious");
  await author.saved();
  author.leave();
  await first.ended("SIGTERM");

  const server = await startProcess({ DATABASE_URL: url });
  const other = otherProgram(path);
  other.exec("ALTER TABLE journal RENAME TO hidden");
  const visitor = connect({ url: server.url, name: "room" });
  expect(await visitor.closedWith(4501)).toEqual({ code: 4501, reason: "storage-unavailable" });
  expect(visitor.denials).toEqual([]);
  expect(visitor.provider.synced).toBe(false);

  other.exec("ALTER TABLE hidden RENAME TO journal");
  await visitor.synced();
  expect(visitor.content).toBe("precious");
});

test("[S3] failed loads leave nothing behind", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const timersBefore = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  otherProgram(path).exec("ALTER TABLE journal RENAME TO hidden");
  // Each on a socket of its own: the first refusal closes it.
  const logins = Array.from({ length: 50 }, async (_, i) => {
    const client = await new RawClient(server.url).opened();
    client.login(`room-${i}`);
    expect((await client.closed()).code).toBe(4501);
  });
  await Promise.all(logins);
  expect(server.log.events("refused")).toHaveLength(50);
  await until("the timers of the failed documents gone", () => {
    // Each document has an awareness timer; leaked ones would be fifty more.
    return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length < timersBefore + 10;
  });
  expect([server.rooms.documents.size, server.rooms.loadingDocuments.size]).toEqual([0, 0]);
});

test("[S19] when too much waits for the store everybody is sent away and kept out, and all of it is saved when it is back", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url, MAX_UNSAVED_BYTES: "100000" });
  const writer = await connect({ url: server.url, name: "room" }).saved();
  const other = otherProgram(path);
  other.exec("BEGIN IMMEDIATE");
  writer.text.insert(0, "x".repeat(60_000));
  await server.logged("trouble", (line) => line["storage"] === "failing");
  expect(writer.closes).toEqual([]);
  writer.text.insert(0, "y".repeat(60_000));
  expect(await writer.closedWith(4501)).toEqual({ code: 4501, reason: "storage-unavailable" });
  expect(writer.provider.hasUnsyncedChanges).toBe(true);
  expect(await refusedUpgrade(server.url)).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
  other.exec("ROLLBACK");
  await writer.saved();
  const reader = await connect({ url: server.url, name: "room" }).synced();
  expect(reader.text.length).toBe(120_000);
});

test("[S4] a room with unsaved edits stays in memory after everybody left, and goes once they are saved", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url, ROOM_IDLE_SECONDS: "0" });
  const writer = await connect({ url: server.url, name: "room" }).synced();
  await writer.saved();
  const other = otherProgram(path);
  other.exec("BEGIN IMMEDIATE");
  writer.text.insert(0, "unsaved");
  await until("the edit on the server", () => server.rooms.documents.get("room")?.getText("text").length);
  writer.leave();
  await until("everybody gone", () => server.log.events("connection-left").length === 1);
  await until("a second attempt to save", () => server.log.lines.some((line) => line["attempt"] === 2));
  expect(server.rooms.documents.has("room")).toBe(true);
  other.exec("ROLLBACK");
  await until("unloaded", () => !server.rooms.documents.has("room"));
  expect((await connect({ url: server.url, name: "room" }).synced()).content).toBe("unsaved");
});

test("[S5] a room's journal is merged into its snapshot when the room unloads", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url, ROOM_IDLE_SECONDS: "0", LOG_LEVEL: "debug" });
  const writer = await connect({ url: server.url, name: "room" }).synced();
  for (let i = 0; i < 20; i++) writer.text.insert(0, "x");
  await writer.saved();
  writer.leave();
  const line = await server.logged("compacted", ({ event }) => event === "compacted");
  expect(line).toMatchObject({ room: "room", rows: 20 });
  expect(otherProgram(path).prepare("SELECT count(*) AS n FROM journal").get()).toEqual({ n: 0 });
});

test("[S5] so is one that a crash has left behind, though nobody edits the room", async () => {
  const { url } = tempDatabase();
  await storeText(url, "room", ["a", "b"]);
  const server = await startComposition({ DATABASE_URL: url, ROOM_IDLE_SECONDS: "0" });
  const reader = await connect({ url: server.url, name: "room" }).synced();
  reader.leave();
  await until("merged", () => server.log.events("compacted").length > 0);
  const { updates, ...stored } = await server.store.load("room");
  expect([updates, textOf({ ...stored, updates })]).toEqual([[], "ab"]);
});

test("[S5] a room that grows is merged while people are in it", async () => {
  const server = await startProcess({ LOG_LEVEL: "debug" });
  const writer = await connect({ url: server.url, name: "room" }).synced();
  for (let i = 0; i < 10; i++) writer.text.insert(0, "x".repeat(500_000));
  await writer.saved();
  await server.logged("compacted", ({ event }) => event === "compacted");
  expect(writer.closes).toEqual([]);
});

test("[S5] so is one that grows at one stroke, each time that it does", async () => {
  const server = await startComposition();
  const writer = await connect({ url: server.url, name: "room" }).synced();
  for (const times of [1, 2]) {
    writer.text.insert(0, "x".repeat(5_000_000));
    await writer.saved();
    await until("merged", () => server.log.events("compacted").length === times);
    expect((await server.store.load("room")).updates).toEqual([]);
  }
});

test("[S5] so is one that grows by thousands of small edits, once", async () => {
  const server = await startComposition({ MAX_MESSAGES_PER_SECOND: "10000" });
  const client = await new RawClient(server.url).inside("room");
  const edits = typed("x".repeat(5001));
  for (const edit of edits) client.update("room", edit);
  await until("all saved", () => client.acksTo("room") === edits.length);
  await until("merged", () => server.log.events("compacted").length > 0);
  // One more, and a barrier behind what it may have brought about.
  client.update("room", typed("y")[0] as Uint8Array);
  await until("saved", () => client.acksTo("room") === edits.length + 1);
  await server.store.compact("another");
  expect(server.log.events("compacted")).toHaveLength(1);
});

test("[S8] the storage worker ends in the middle of work: nobody is disconnected and nothing is lost", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const writer = await connect({ url: server.url, name: "room" }).synced();
  for (let round = 0; round < 5; round++) {
    writer.text.insert(0, "x");
    await until(
      "the edit on the server",
      () => server.rooms.documents.get("room")?.getText("text").length === round + 1,
    );
    await server.store.end();
    await writer.saved();
  }
  expect(writer.closes).toEqual([]);
  const stored = await server.store.load("room");
  expect(textOf(stored)).toBe("xxxxx");
});

test("[S9] a journal row carries its author from the connection's identity", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const writer = await connect({ url: server.url, name: "room" }).synced();
  writer.text.insert(0, "x");
  await writer.saved();
  const joined = await server.logged("joined", ({ event }) => event === "user-joined");
  const row = otherProgram(path).prepare("SELECT at, author FROM journal").get() as {
    at: number;
    author: string;
  };
  expect(row.author).toBe(joined.user);
  expect(Math.abs(Date.now() - row.at)).toBeLessThan(60_000);
});

test("[S9] an edit of somebody whose identity an extension has lost is saved without it", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url }, [
    { connected: async ({ context }) => void Reflect.deleteProperty(context, "user") },
  ]);
  const direct = await server.rooms.openDirectConnection("room");
  await direct.transact((document) => document.getText("text").insert(0, "ab"));
  const writer = await connect({ url: server.url, name: "room" }).synced();
  writer.text.delete(0, 1);
  await writer.saved();
  expect(otherProgram(path).prepare("SELECT author FROM journal").pluck().all()).toEqual(["", ""]);
  await direct.disconnect();
});
