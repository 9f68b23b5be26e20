/** Rooms whose first sync is answered by the storage worker. What it costs the event loop is measured in `bench/`. */
import { MessageType } from "@hocuspocus/server";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import * as Y from "yjs";
import { connect, type Client } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { RawClient } from "./support/raw-client.ts";
import { adminToken, callApi } from "./support/room-api.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";
import { copyOf } from "./support/updates.ts";

/** 4,000 tasks of so many kB, about. */
async function largeRoom(server: Composition, name = "room", kilobytes = 0.25): Promise<Client> {
  const author = await connect({ url: server.url, name }).saved();
  author.doc.transact(() => {
    for (let i = 0; i < 4000; i++) author.tasks.set(`task-${i}`, `${i} `.repeat(kilobytes * 200));
  });
  return author.saved();
}

/** Sub-types of the Sync messages that a client has got of the room. */
function syncTypes(client: RawClient): readonly (number | undefined)[] {
  return client.contents("room", MessageType.Sync).map(([type]) => type);
}

/** Keeps whoever joins waiting for the store until the returned function is called. */
function holdReads({ store }: Composition): { readonly begun: () => number; readonly release: () => void } {
  const gate = Promise.withResolvers<void>();
  const loadSince = store.loadSince.bind(store);
  let begun = 0;
  store.loadSince = async (...parameters) => {
    begun++;
    await gate.promise;
    return loadSince(...parameters);
  };
  onTestFinished(() => gate.resolve());
  return { begun: () => begun, release: gate.resolve };
}

/** The sub-type of the first Sync message that a client gets. */
async function firstMessageTo(server: Composition): Promise<number | undefined> {
  const client = await new RawClient(server.url).opened();
  client.login("room");
  client.firstSync("room");
  return (await client.received("room", MessageType.Sync))[0];
}

test("[S18] whoever joins a large room gets all of it, what is edited meanwhile too, and is not called synced before", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  expect(await firstMessageTo(server)).not.toBe(messageYjsSyncStep1);
  let edits = 0;
  const edit = (): void => void author.tasks.set(`late-${edits++}`, "late");
  for (let round = 0; round < 5; round++) {
    const joiner = connect({ url: server.url, name: "room" });
    await until("let in", () => (edit(), joiner.provider.isAuthenticated));
    await joiner.synced();
    expect(joiner.tasks.size).toBeGreaterThanOrEqual(4000);
    await until("the same room", () => joiner.tasks.size === author.tasks.size);
    joiner.tasks.set(`by-joiner-${round}`, "x");
    await joiner.saved();
    joiner.leave();
  }
  await until("all edits", () => author.tasks.has("by-joiner-4"));
});

test("[S18] of what a large room is sent in, the last part alone calls its reader synced", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  await server.store.compact("room");
  author.tasks.set("new", "in the journal");
  await author.saved();
  const client = await new RawClient(server.url).inside("room");
  await until("the question that follows", () => syncTypes(client).includes(messageYjsSyncStep1));
  expect(syncTypes(client)).toEqual([messageYjsUpdate, messageYjsSyncStep2, messageYjsSyncStep1]);
});

test("[S18] whoever comes back to a large room gets what is new there, and what it wrote offline is saved", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  const copy = copyOf(author.doc);
  await server.store.compact("room");
  author.tasks.set("new", "while away");
  await author.saved();
  copy.getMap("tasks").set("offline", "kept on the device");
  const returning = await connect({ url: server.url, name: "room", document: copy }).saved();
  expect(returning.tasks.get("new")).toBe("while away");
  await until("the offline edit", () => author.tasks.get("offline"));
});

test("[S18] while the store is in trouble the document itself answers", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  // Already on the server's doorstep: in trouble it takes nobody in.
  const visitor = await new RawClient(server.url).opened();
  const other = new Database(path);
  onTestFinished(() => void other.close());
  other.exec("BEGIN IMMEDIATE");
  author.tasks.set("unsaved", "x");
  await until("trouble", () => server.log.lines.some((line) => line["storage"] === "failing"));
  visitor.login("room");
  visitor.firstSync("room");
  expect((await visitor.received("room", MessageType.Sync))[0]).toBe(messageYjsSyncStep1);
  await until("the room", () => visitor.messages.some(({ byteLength }) => byteLength > 500_000));
  other.exec("ROLLBACK");
  await author.saved();
});

test("[S18] an edit on its way to the disk is in the answer, whether the disk takes it or not, and no other room's is", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  const stranger = await connect({ url: server.url, name: "another" }).saved();
  const disk = Promise.withResolvers<void>();
  const append = server.store.append.bind(server.store);
  server.store.append = (entries) => disk.promise.then(() => append(entries));
  onTestFinished(() => disk.resolve());
  stranger.tasks.set("secret", "x");
  author.tasks.set("unsaved", "x");
  const isThere = (room: string, key: string): unknown =>
    server.rooms.documents.get(room)?.getMap("tasks").has(key);
  await until("applied", () => isThere("room", "unsaved") && isThere("another", "secret"));
  const joiner = await connect({ url: server.url, name: "room" }).synced();
  expect(joiner.tasks.size).toBe(author.tasks.size);
  expect(joiner.tasks.has("secret")).toBe(false);
});

test("[S18] a question that is none closes the socket that sent it, also where the store would have been asked", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  await server.store.compact("room");
  const client = await new RawClient(server.url).inside("room");
  client.firstSync("room", Uint8Array.of(5, 5));
  expect(await client.closed()).toMatchObject({ code: 4205 });
  author.tasks.set("after", "x");
  await author.saved();
});

test("[S18] a flood of questions is answered once or twice, and keeps nobody else waiting", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  await largeRoom(server);
  const client = await new RawClient(server.url).inside("room");
  client.messages.length = 0;
  // Fewer than would be a flood by their number (M7).
  for (let i = 0; i < 15; i++) client.firstSync("room");
  await connect({ url: server.url, name: "room" }).synced();
  // A barrier behind the last answer.
  await client.received("room", MessageType.Sync);
  client.update("room", Y.encodeStateAsUpdate(new Y.Doc()));
  await until("an ack", () => client.acksTo("room") > 0);
  expect(client.messages.filter(({ byteLength }) => byteLength > 500_000).length).toBeLessThanOrEqual(2);
});

test("[S18] what is asked while an answer is on its way is answered once, after it", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  await largeRoom(server);
  await server.store.compact("room");
  const reads = holdReads(server);
  const client = await new RawClient(server.url).opened();
  client.login("room");
  for (let i = 0; i < 16; i++) client.firstSync("room");
  await until("the first read", () => reads.begun() === 1);
  await client.caughtUp();
  reads.release();
  await until("the question that follows", () => syncTypes(client).includes(messageYjsSyncStep1));
  expect(syncTypes(client)).toEqual([messageYjsSyncStep2, messageYjsSyncStep2, messageYjsSyncStep1]);
});

test("[S18] however many join at once, the store reads for two of them at a time", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  await largeRoom(server);
  const reads = holdReads(server);
  const crowd = await Promise.all(Array.from({ length: 5 }, () => new RawClient(server.url).opened()));
  for (const client of crowd) {
    client.login("room");
    client.firstSync("room");
  }
  await until("all inside", () => server.rooms.documents.get("room")?.connections.size === 6);
  // A barrier: what came with their logins has been taken.
  await Promise.all(crowd.map((client) => client.caughtUp()));
  expect(reads.begun()).toBe(2);
  reads.release();
  await Promise.all(crowd.map((client) => client.received("room", MessageType.Sync)));
});

test("[S18] who comes back to a large room is not called synced for what it has shown, before it has what it lacks", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  const author = await largeRoom(server);
  const copy = copyOf(author.doc);
  author.tasks.set("new", "while away");
  await author.saved();
  const reads = holdReads(server);
  const returning = connect({ url: server.url, name: "room", document: copy });
  await until("its state shown", () => reads.begun() === 1);
  // A barrier behind whatever it was told for that.
  author.tasks.set("barrier", "x");
  await until("the barrier", () => returning.updatesReceived > 0);
  expect(returning.provider.synced).toBe(false);
  reads.release();
  await returning.synced();
  expect(returning.tasks.get("new")).toBe("while away");
});

test("[A14] [S18] who is put out of a large room while the store is asked is not sent it", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url, ADMIN_TOKEN: adminToken });
  await largeRoom(server);
  const reads = holdReads(server);
  const client = await new RawClient(server.url).opened();
  client.login("room");
  client.firstSync("room");
  await until("asked", () => reads.begun() === 1);
  await callApi(server.url, "POST /api/rooms/room/kick");
  await client.refused("room", "kicked");
  reads.release();
  // A barrier: what was read for it is there by then.
  await server.store.loadSince("room", Uint8Array.of(0));
  await client.caughtUp();
  expect(syncTypes(client)).toEqual([]);
});

test("[T9] [M13] [S18] several large rooms are sent to one client after each other and not more than it reads, which nobody else waits for", async () => {
  const { url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url, MAX_BUFFERED_BYTES: "1048576" });
  const rooms = ["room", "room-b", "room-c", "room-d"];
  // Together far more than the kernel takes in.
  for (const room of rooms) await largeRoom(server, room, 1.5);
  // As many as the store is read for at once.
  const slow = [await new RawClient(server.url).opened(), await new RawClient(server.url).opened()];
  for (const client of slow) client.socket.pause();
  for (const client of slow) for (const room of rooms) client.login(room);
  await until("let in", () =>
    rooms.every((room) => server.rooms.documents.get(room)?.connections.size === 3),
  );
  for (const client of slow) for (const room of rooms) client.firstSync(room);
  // A barrier: a newcomer is answered after their first rooms. The next one comes while both wait for their second.
  await connect({ url: server.url, name: "room" }).synced();
  await connect({ url: server.url, name: "room" }).synced();
  for (const client of slow) client.socket.resume();
  for (const client of slow) for (const room of rooms) await client.received(room, MessageType.Sync);
  expect(slow.map(({ close }) => close)).toEqual([null, null]);
});

test("[S10] a damaged row of a large room that a joiner's answer comes upon is told of as well", async () => {
  const { path, url } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: url });
  await largeRoom(server);
  const other = new Database(path);
  onTestFinished(() => void other.close());
  other.exec("INSERT INTO journal (name, data, at, author) VALUES ('room', x'0102', 0, '')");
  const joiner = await connect({ url: server.url, name: "room" }).synced();
  expect(joiner.tasks.size).toBe(4000);
  expect(server.log.events("quarantined")).toHaveLength(1);
});
