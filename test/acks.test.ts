/** Who is told "saved", how often, and until when what a client sends counts. */
import { MessageType, OutgoingMessage } from "@hocuspocus/server";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { Journal } from "../storage/journal.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { connect } from "./support/client.ts";
import { RawClient } from "./support/raw-client.ts";
import { typed } from "./support/updates.ts";
import { until } from "./support/until.ts";

const nothing = Y.encodeStateAsUpdate(new Y.Doc());

function textOf(server: Composition): string {
  return server.rooms.documents.get("room")?.getText("text").toJSON() ?? "";
}

/** Keeps everything from the disk until the returned function is called. */
function stopDisk({ store }: Composition): () => void {
  const disk = Promise.withResolvers<void>();
  const append = store.append.bind(store);
  store.append = (entries) => disk.promise.then(() => append(entries));
  return disk.resolve;
}

test("[S20] acks that come late do not reach the provider that took its place on the same socket", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).inside("room");
  const startDisk = stopDisk(server);
  for (const update of typed("early")) client.update("room", update);
  await until("applied", () => textOf(server) === "early");
  client.send("room", MessageType.CLOSE);
  await client.received("room", MessageType.CLOSE);
  client.messages.length = 0;
  await client.inside("room");
  startDisk();
  await until("on disk", async () => (await server.store.load("room")).updates.length > 0);
  // A barrier: its own edit is the only one that it is told of.
  client.update("room", typed("!")[0] as Uint8Array);
  await until("an ack", () => client.acksTo("room") > 0);
  expect(client.acksTo("room")).toBe(1);
});

test("[S20] whoever types while its offline edits are asked for is asked once, and told no more than it sent", async () => {
  const server = await startComposition();
  // The question of its first sync is open.
  const client = await new RawClient(server.url).inside("room");
  const [first, second, third] = typed("abc") as [Uint8Array, Uint8Array, Uint8Array];
  client.update("room", second);
  client.state("room", Y.mergeUpdates([first, second]));
  client.update("room", third);
  // The first sync, and two edits.
  await until("acks", () => client.acksTo("room") === 3);
  const question = new OutgoingMessage("room")
    .createSyncMessage()
    .writeFirstSyncStepFor(new Y.Doc() as never);
  expect(client.count(question.toUint8Array())).toBe(1);
  client.state("room", nothing);
  client.update("room", typed("!")[0] as Uint8Array);
  await until("an ack", () => client.acksTo("room") === 4);
  expect(textOf(server)).toHaveLength(4);
});

test("[S20] a client that waits for a known edit again and again costs a number, not memory", async () => {
  const disk = Promise.withResolvers<void>();
  const journal = new Journal({
    store: { append: () => disk.promise },
    maxUnsavedBytes: 1000,
    events: { onSaved() {}, onTrouble() {}, onRecovered() {}, onFull() {} },
  });
  journal.append({ room: "room", update: nothing, at: 0, author: "" });
  const told: number[] = [];
  const waiter = { saved: (count: number) => void told.push(count) };
  for (let i = 0; i < 1000; i++) journal.whenSaved("room", waiter);
  journal.whenSaved("other", waiter, 2);
  expect(told).toEqual([2]);
  disk.resolve();
  await journal.settled();
  expect(told).toEqual([2, 1000]);
});

test("[S1] what came while an earlier edit was committed is saved when its own commit is, also for who asks in between", async () => {
  const commits: PromiseWithResolvers<void>[] = [];
  const savedRooms: string[] = [];
  const journal = new Journal({
    store: {
      append() {
        const commit = Promise.withResolvers<void>();
        commits.push(commit);
        return commit.promise;
      },
    },
    maxUnsavedBytes: 1000,
    events: { onSaved: (room) => savedRooms.push(room), onTrouble() {}, onRecovered() {}, onFull() {} },
  });
  const entry = { room: "room", update: nothing, at: 0, author: "" };
  journal.append(entry);
  await until("the first under way", () => commits.length === 1);
  journal.append(entry);
  commits[0]?.resolve();
  await until("the second under way", () => commits.length === 2);
  // As somebody who brings an edit that is there already.
  const told: number[] = [];
  journal.whenSaved("room", { saved: (count) => told.push(count) });
  expect([told, savedRooms, journal.unsavedRooms]).toEqual([[], [], ["room"]]);
  commits[1]?.resolve();
  await journal.settled();
  expect([told, savedRooms, journal.unsavedRooms]).toEqual([[1], ["room"], []]);
});

test("[A9] nothing counts that somebody sends whom the server has put out of the room", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).inside("room");
  server.rooms.closeConnections("room");
  const bystander = await connect({ url: server.url, name: "room" }).saved();
  for (const update of typed("still here")) client.update("room", update);
  await client.closed();
  bystander.text.insert(0, "ok");
  await bystander.saved();
  expect(textOf(server)).toBe("ok");
  expect(client.acksTo("room")).toBe(0);
});

test("[S1] what a team's extension puts into a document at its load is saved like an edit", async () => {
  const template = {
    extensionName: "template",
    priority: 200,
    async onLoadDocument({ document }: { document: Y.Doc }) {
      if (document.getText("text").length === 0) document.getText("text").insert(0, "TEMPLATE ");
    },
  };
  const server = await startComposition({ ROOM_IDLE_SECONDS: "0" }, [template]);
  const author = await connect({ url: server.url, name: "room" }).saved();
  author.text.insert(author.text.length, "user words");
  await author.saved();
  author.leave();
  await until("unloaded", () => server.rooms.documents.size === 0);
  const next = await connect({ url: server.url, name: "room" }).synced();
  expect(next.content).toBe("TEMPLATE user words");
});
