/** No ack for what was not applied: raw updates, well-formed or not, beside a real provider that must notice nothing of it. */
import { MessageType, OutgoingMessage, type Document } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { closeReasons } from "../lib/close-reasons.ts";
import { connect } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { RawClient } from "./support/raw-client.ts";
import { startProcess } from "./support/server-process.ts";
import { until } from "./support/until.ts";
import { typed } from "./support/updates.ts";

function inside(server: Composition, room = "room"): Promise<RawClient> {
  return new RawClient(server.url).inside(room);
}

/** An update of no elements that deletes one range. */
function deletion(client: number, clock: number, length: number): Uint8Array {
  return Uint8Array.from(
    encoding.encode((encoder) => {
      for (const n of [0, 1, client, 1, clock, length]) encoding.writeVarUint(encoder, n);
    }),
  );
}

/** An update of `count` structs, of which only the head is there. */
function countOnly(count: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const n of [1, count, 1, 0]) encoding.writeVarUint(encoder, n);
  });
}

/** A run of content-less elements (GC) under a client id. */
function run(client: number, clock: number, length: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const n of [1, 1, client, clock]) encoding.writeVarUint(encoder, n);
    encoding.writeUint8(encoder, 0);
    for (const n of [length, 0]) encoding.writeVarUint(encoder, n);
  });
}

/** The same of elements that were deleted (ContentDeleted), in a text. */
function deletedRun(client: number, length: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const n of [1, 1, client, 0]) encoding.writeVarUint(encoder, n);
    encoding.writeUint8(encoder, 1);
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarString(encoder, "text");
    for (const n of [length, 0]) encoding.writeVarUint(encoder, n);
  });
}

/** An update of a block for each of these client ids. Of two for one id Yjs applies the last one only. */
function blocks(...clients: readonly number[]): Uint8Array {
  // One block and no deletions: head, block, 0.
  const ofEach = clients.map((client) => typed("x", client)[0]?.subarray(1, -1) ?? []);
  return Uint8Array.from([clients.length, ...ofEach.flatMap((block) => [...block]), 0]);
}

/** Maps in maps. */
function nested(depth: number): Y.Doc {
  const doc = new Y.Doc();
  doc.transact(() => {
    let map = doc.getMap("deep");
    for (let level = 0; level < depth; level++) {
      const child = new Y.Map<unknown>();
      map.set("child", child);
      map = child;
    }
  });
  return doc;
}

/** The innermost of them. */
function deepest(doc: Y.Doc): Y.Map<unknown> {
  let map = doc.getMap("deep");
  while (map.has("child")) map = map.get("child") as Y.Map<unknown>;
  return map;
}

/** Two lists, the first in the second and the second in the first. */
function eachInTheOther(client: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const n of [1, 2, client, 0]) encoding.writeVarUint(encoder, n);
    for (const parent of [1, 0]) {
      // ContentType, under an element, of type YArray.
      encoding.writeUint8(encoder, 7);
      for (const n of [0, client, parent, 0]) encoding.writeVarUint(encoder, n);
    }
    encoding.writeVarUint(encoder, 0);
  });
}

/** Nested by the server itself, which has no limit, as a file of a stock server may have it. */
async function openDeepRoom(server: Composition): Promise<Y.Doc> {
  // Far beyond the 2,000 levels that break it cold: a warmed-up engine has smaller stack frames.
  const deep = nested(10_000);
  const direct = await server.rooms.openDirectConnection("room");
  await direct.transact((document) => Y.applyUpdate(document, Y.encodeStateAsUpdate(deep)));
  await direct.disconnect();
  return deep;
}

describe("updates that cannot be applied", () => {
  const [first] = typed("x") as [Uint8Array];
  const broken: [string, Uint8Array][] = [
    ["an empty one", new Uint8Array()],
    ["one that is cut off", first.subarray(0, first.byteLength - 2)],
    ["noise", Uint8Array.from({ length: 40 }, (_, index) => (index * 89) % 256)],
    ["33,000,000 structs in seven bytes", countOnly(33_000_000)],
    ["one with two blocks of one client id", blocks(7, 7)],
    ["one with two blocks of one client id, and another between", blocks(7, 8, 7)],
    ["a run of 2^40 elements", run(7, 0, 2 ** 40)],
    ["a run of 2^40 deleted elements", deletedRun(7, 2 ** 40)],
  ];

  test.each(broken)(
    "[S14] %s is not acknowledged and closes the socket that sent it, and no other",
    async (_, update) => {
      const server = await startComposition();
      const bystander = await connect({ url: server.url, name: "room" }).saved();
      for (const send of ["update", "state"] as const) {
        const client = await inside(server);
        client[send]("room", update);
        expect(await client.closed()).toEqual({ code: 4205, reason: "Reset Connection" });
        expect(client.acksTo("room")).toBe(0);
      }
      bystander.text.insert(0, "fine");
      await bystander.saved();
      expect([bystander.closes, bystander.content]).toEqual([[], "fine"]);
    },
  );

  test("[S14] what is sent after it on the same socket is not taken either", async () => {
    const server = await startComposition();
    const reader = await connect({ url: server.url, name: "room" }).saved();
    const client = await inside(server);
    client.update("room", new Uint8Array());
    client.update("room", first);
    await client.closed();
    expect([client.acksTo("room"), reader.content]).toEqual([0, ""]);
  });
});

test("[S14] an update that comes before the login does not get into the room", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).opened();
  client.update("room", typed("x")[0] as Uint8Array);
  client.login("room");
  client.firstSync("room");
  await client.received("room", MessageType.Sync);
  expect(client.acksTo("room")).toBe(0);
  expect(server.rooms.documents.get("room")?.getText("text").toJSON()).toBe("");
});

describe("updates on top of something that never came", () => {
  test("[S15] they are not acknowledged, the client is asked for what is missing, once, and gets all acks when it came", async () => {
    const server = await startComposition();
    const client = await inside(server);
    client.state("room", Y.encodeStateAsUpdate(new Y.Doc()));
    await until("its first sync", () => client.acksTo("room") === 1);
    const updates = typed("abcdef");
    client.messages.length = 0;
    for (const update of updates.slice(1)) client.update("room", update);
    await until("asked", () => client.messages.length > 0);
    const question = new OutgoingMessage("room")
      .createSyncMessage()
      .writeFirstSyncStepFor(server.rooms.documents.get("room") as never)
      .toUint8Array();
    client.state("room", Y.mergeUpdates(updates));
    // A provider does not count its answer.
    await until("all acks", () => client.acksTo("room") >= updates.length - 1);
    // Nor does it another one.
    client.state("room", Y.mergeUpdates(updates));
    await client.caughtUp();
    expect(client.acksTo("room")).toBe(updates.length - 1);
    expect(client.count(question)).toBe(1);
    expect(server.rooms.documents.get("room")?.getText("text").toJSON()).toBe("abcdef");
    expect((await server.store.load("room")).updates).not.toEqual([]);
  });

  test("[S15] nothing of what a client sends stays pending, whatever the form", async () => {
    const server = await startComposition();
    const client = await inside(server);
    const updates = typed("abc");
    client.update("room", updates[2] as Uint8Array);
    client.update("room", deletion(99, 5, 10));
    client.state("room", updates[2] as Uint8Array);
    client.state("room", deletion(98, 5, 10));
    // A barrier: the server handles in order.
    client.update("room", typed("ok")[0] as Uint8Array);
    await until("the barrier's ack", () => client.acksTo("room") === 1);
    const { pendingStructs, pendingDs } = (server.rooms.documents.get("room") as Y.Doc).store;
    expect([pendingStructs, pendingDs]).toEqual([null, null]);
  });

  test("[S15] nor does it join what a hole in the stored room keeps pending", async () => {
    const server = await startComposition();
    await server.store.append([{ room: "room", update: typed("ab")[1] as Uint8Array, at: 0, author: "" }]);
    const client = await inside(server);
    const { store } = server.rooms.documents.get("room") as Y.Doc;
    const { missing, update } = store.pendingStructs as NonNullable<typeof store.pendingStructs>;
    const stored = { missing: new Map(missing), update: Uint8Array.from(update) };
    client.update("room", typed("abc")[2] as Uint8Array);
    client.state("room", typed("abc")[2] as Uint8Array);
    client.update("room", typed("ok")[0] as Uint8Array);
    await until("the barrier's ack", () => client.acksTo("room") === 1);
    expect(store.pendingStructs).toEqual(stored);
  });

  test.each([
    ["an edit", typed("ab")[1] as Uint8Array],
    ["a deletion", deletion(99, 5, 10)],
  ])(
    "[S15] a room whose store has %s in the air takes and acknowledges edits, and shows nobody unsaved ones",
    async (_, update) => {
      const server = await startComposition();
      await server.store.append([{ room: "room", update, at: 0, author: "" }]);
      const writer = await connect({ url: server.url, name: "room" }).saved();
      const other = await connect({ url: server.url, name: "room" }).saved();
      writer.text.insert(0, "new");
      await writer.saved();
      await until("the edit at the other", () => other.content === "new");
      // Its document has the hole as well by now, and sends it along.
      writer.leave();
      const returning = await connect({ url: server.url, name: "room", document: writer.doc }).saved();
      expect(returning.content).toBe("new");
    },
  );
});

describe("nesting", () => {
  test("[S16] shared types nested deeper than 500 levels are refused for good, and the room goes on", async () => {
    const server = await startComposition();
    const bystander = await connect({ url: server.url, name: "room" }).saved();
    const client = connect({ url: server.url, name: "room", document: nested(501) });
    expect(await client.denied()).toBe("update-rejected");
    bystander.text.insert(0, "fine");
    await bystander.saved();
    expect(bystander.closes).toEqual([]);
    const allowed = await connect({ url: server.url, name: "other", document: nested(500) }).saved();
    allowed.doc.getMap("deep").delete("child");
    await allowed.saved();
  });

  test("[S16] a thousand types side by side are no deeper than one", async () => {
    const server = await startComposition();
    const document = new Y.Doc();
    document.getArray("list").push(Array.from({ length: 1000 }, () => new Y.Map()));
    const author = connect({ url: server.url, name: "room", document });
    await author.saved();
    expect(author.denials).toEqual([]);
  });

  test("[S16] a level more in a document that has them all is refused as well", async () => {
    const server = await startComposition();
    const doc = nested(500);
    const author = await connect({ url: server.url, name: "room", document: doc }).saved();
    deepest(doc).set("list", new Y.Array());
    expect(await author.denied()).toBe("update-rejected");
  });

  // Which level they are in, their updates do not say.
  test.each([
    ["before", 0],
    ["behind", 1],
  ])("[S16] and so is one %s something that is there", async (_, place) => {
    const server = await startComposition();
    const doc = nested(499);
    const list = new Y.Array<unknown>();
    list.push(["here"]);
    deepest(doc).set("list", list);
    const author = await connect({ url: server.url, name: "room", document: doc }).saved();
    list.insert(place, [new Y.Map()]);
    expect(await author.denied()).toBe("update-rejected");
  });

  test("[S16] types that are said to be in each other keep nobody waiting", async () => {
    const server = await startProcess();
    const bystander = await connect({ url: server.url, name: "room" }).saved();
    const client = await new RawClient(server.url).inside("room");
    client.update("room", eachInTheOther(7));
    expect(await client.closed()).toMatchObject({ code: 4205 });
    bystander.text.insert(0, "fine");
    await bystander.saved();
  });
});

test("[S16] a document that an edit broke is loaded again: everybody but its author comes back, and nothing acknowledged is lost", async () => {
  const server = await startComposition();
  const deep = await openDeepRoom(server);
  // Bare clients: a real one of this depth would break just the same.
  const [honest, culprit] = [await inside(server), await inside(server)];
  const updates = typed("abcd");
  for (const update of updates) honest.update("room", update);
  await until("acknowledged", () => honest.acksTo("room") === updates.length);

  const broken = server.rooms.documents.get("room");
  culprit.update("room", deletion(deep.clientID, 0, 1));
  await culprit.refused("room", "update-rejected");
  expect(await honest.closed()).toEqual({ code: 4504, reason: "room-reloaded" });
  expect(culprit.acksTo("room")).toBe(0);
  expect(server.log.events("room-broken")).toHaveLength(1);
  expect(broken?.isDestroyed).toBe(true);

  const [back, other] = [await inside(server), await inside(server)];
  expect(server.rooms.documents.get("room")?.getText("text").toJSON()).toBe("abcd");
  const [more] = typed("!") as [Uint8Array];
  other.messages.length = 0;
  back.update("room", more);
  await until("acknowledged", () => back.acksTo("room") === 1);
  await until("the edit at the other", () => other.messages.length > 0);
});

test("[S16] a document that survives an edit by half is discarded as well", async () => {
  // For teams that keep history: without collection, the stack overflows in the edit itself and not in the end of its transaction.
  const server = await startComposition({}, [{ onCreateDocument: async () => ({ gc: false }) }]);
  const deep = await openDeepRoom(server);
  const [honest, culprit] = [await inside(server), await inside(server)];
  culprit.update("room", deletion(deep.clientID, 0, 1));
  await culprit.refused("room", "update-rejected");
  expect(await honest.closed()).toEqual({ code: 4504, reason: "room-reloaded" });
  expect(culprit.acksTo("room")).toBe(0);
});

test("[S16] a document that is found broken after it was replaced does not take its successor along", async () => {
  const server = await startComposition();
  const early = await inside(server);
  const broken = server.rooms.documents.get("room") as Document;
  server.rooms.discard(broken, () => closeReasons.roomReloaded);
  await early.closed();
  const client = await inside(server);
  server.rooms.discard(broken, () => closeReasons.roomReloaded);
  client.update("room", typed("a")[0] as Uint8Array);
  await until("acknowledged", () => client.acksTo("room") === 1);
  expect(server.rooms.documents.get("room")?.getText("text").toJSON()).toBe("a");
});

test.each(["update", "beforeTransaction"])(
  "[S16] a document is loaded again also when an extension throws at %s, with edits that were on their way to the disk",
  async (event) => {
    const server = await startComposition();
    const [honest, culprit] = [await inside(server), await inside(server)];
    const disk = Promise.withResolvers<void>();
    const append = server.store.append.bind(server.store);
    server.store.append = (entries) => disk.promise.then(() => append(entries));
    const document = server.rooms.documents.get("room") as Y.Doc;
    honest.update("room", typed("a")[0] as Uint8Array);
    await until("applied", () => document.getText("text").toJSON() === "a");
    document.once(event as "update", () => {
      throw new Error("an extension's fault");
    });
    culprit.update("room", typed("b")[0] as Uint8Array);
    await culprit.refused("room", "update-rejected");
    expect(await honest.closed()).toEqual({ code: 4504, reason: "room-reloaded" });

    const back = inside(server);
    // A barrier: by now the room would have been loaded without the edit.
    await inside(server, "other");
    disk.resolve();
    await back;
    expect(server.rooms.documents.get("room")?.getText("text").toJSON()).toContain("a");
  },
);

test("[F1] an edit at which an extension's observer throws is in the room and saved, and only its author has to come back", async () => {
  const server = await startComposition();
  const bystander = await connect({ url: server.url, name: "room" }).saved();
  const author = await inside(server);
  const text = server.rooms.documents.get("room")?.getText("text");
  const fail = (): void => {
    throw new Error("an extension's fault");
  };
  text?.observe(fail);
  author.update("room", typed("a")[0] as Uint8Array);
  expect(await author.closed()).toMatchObject({ code: 4205 });
  expect(server.log.events("message-refused")).toHaveLength(1);
  text?.unobserve(fail);
  await until("the edit at the other", () => bystander.content === "a");
  await until("saved", async () => (await server.store.load("room")).updates.length === 1);
  expect(bystander.closes).toEqual([]);
});

describe("client ids", () => {
  test("[S17] nobody writes under the client id of another user who is there, who goes on undisturbed", async () => {
    const server = await startComposition();
    const victim = await connect({ url: server.url, name: "room" }).saved();
    victim.text.insert(0, "first");
    await victim.saved();
    const id = victim.doc.clientID;
    for (const forged of [run(id, 5, 100), Y.mergeUpdates(typed("first, forged!", id))]) {
      const attacker = await inside(server);
      attacker.update("room", forged);
      expect(await attacker.closed()).toMatchObject({ code: 4205 });
      expect(attacker.acksTo("room")).toBe(0);
    }
    victim.text.insert(5, " second");
    await victim.saved();
    expect((await connect({ url: server.url, name: "room" }).synced()).content).toBe("first second");
  });

  test("[S17] nobody takes the client id of a user who is seen with it and has not written yet", async () => {
    const server = await startComposition();
    const victim = await connect({ url: server.url, name: "room" }).saved();
    const witness = await connect({ url: server.url, name: "room" }).saved();
    await until("seen", () => witness.provider.awareness?.getStates().has(victim.doc.clientID));
    const attacker = await inside(server);
    attacker.update("room", Y.mergeUpdates(typed("forged", victim.doc.clientID)));
    expect(await attacker.closed()).toMatchObject({ code: 4205 });
    victim.text.insert(0, "mine");
    await victim.saved();
    expect([victim.closes, attacker.acksTo("room")]).toEqual([[], 0]);
    await until("the victim's edit", () => witness.content === "mine");
  });

  test("[S17] nobody takes a client id by an edit that hangs in the air", async () => {
    const server = await startComposition();
    // Without presence: with it the id would be known to be taken.
    const victim = await connect({ url: server.url, name: "room", awareness: null }).saved();
    const attacker = await inside(server);
    attacker.update("room", typed("ab", victim.doc.clientID)[1] as Uint8Array);
    attacker.update("room", typed("!")[0] as Uint8Array);
    await until("the barrier's ack", () => attacker.acksTo("room") === 1);
    victim.text.insert(0, "mine");
    await victim.saved();
    expect(victim.closes).toEqual([]);
  });

  test("[S17] a guest who comes back while the old socket is dead and nobody knows waits seconds, not heartbeats", async () => {
    const server = await startComposition();
    // Asked first whether they are there, and they are.
    const alive = await inside(server);
    alive.update("room", typed("x", 7)[0] as Uint8Array);
    await until("acknowledged", () => alive.acksTo("room") === 1);
    const stranger = await inside(server);
    stranger.update("room", typed("xy", 7)[1] as Uint8Array);
    await stranger.closed();
    const doc = new Y.Doc();
    const old = await inside(server);
    old.update("room", typed("a", doc.clientID)[0] as Uint8Array);
    await until("acknowledged", () => old.acksTo("room") === 1);
    // A network that is gone: nothing is read, nothing answered.
    old.socket.pause();
    doc.getText("text").insert(0, "ab");
    // Its edit alone asks who is there, no presence.
    const returning = connect({ url: server.url, name: "room", document: doc, awareness: null });
    await returning.closedWith(4205);
    await returning.saved();
    expect(alive.close).toBeNull();
  });

  test("[S17] somebody who is still reading is not taken for gone because another one says so", async () => {
    const server = await startComposition({ MAX_BUFFERED_BYTES: "67108864" });
    const doc = new Y.Doc();
    const reader = await inside(server);
    reader.update("room", typed("a", doc.clientID)[0] as Uint8Array);
    await until("acknowledged", () => reader.acksTo("room") === 1);
    const writer = await inside(server);
    reader.socket.pause();
    // More than the kernel takes in, in parts that the writer may send.
    const large = new Y.Doc();
    for (let part = 0; part < 6; part++) {
      const before = Y.encodeStateVector(large);
      large.getMap("large").set(`${part}`, "x".repeat(4_000_000));
      writer.update("room", Y.encodeStateAsUpdate(large, before));
    }
    await until("all written", () => writer.acksTo("room") === 6);
    const probed = performance.now();
    writer.update("room", typed("ab", doc.clientID)[1] as Uint8Array);
    expect(await writer.closed()).toMatchObject({ code: 4205 });
    // Longer than a probe is patient.
    await until("the probe's end", () => performance.now() - probed > 6000);
    reader.socket.resume();
    await reader.caughtUp();
    expect(reader.close).toBeNull();
  });

  test("[S17] who comes back shows the last of what others wrote, who are there, and is let in", async () => {
    const server = await startComposition();
    const host = await connect({ url: server.url, name: "room" }).saved();
    host.text.insert(0, "host's");
    await host.saved();
    const visitor = await connect({ url: server.url, name: "room" }).synced();
    visitor.leave();
    visitor.text.insert(0, "and ");
    const returning = connect({ url: server.url, name: "room", document: visitor.doc });
    await until("the edit at the host", () => host.content === "and host's");
    await returning.saved();
    expect(returning.closes).toEqual([]);
  });

  test("[S17] two tabs of one user may bring each other's edits", async () => {
    const server = await startComposition();
    const [one, two] = [await inside(server), await inside(server)];
    const updates = typed("abcd", 4711);
    one.update("room", updates[0] as Uint8Array);
    await until("acknowledged", () => one.acksTo("room") === 1);
    const connections = server.rooms.documents.get("room")?.getConnections() ?? [];
    for (const connection of connections) connection.context = connections[0]?.context;
    two.update("room", updates[1] as Uint8Array);
    await until("acknowledged", () => two.acksTo("room") === 1);
  });
});
