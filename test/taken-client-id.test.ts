/**
 * Somebody writes under the Yjs client id of a user who is away, who comes back with edits of the same numbers: Yjs has them for known, on
 * both sides. And everybody who looks like that and is not.
 */
import { MessageType, OutgoingMessage } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { describe, expect, test } from "vitest";
import { messageYjsSyncStep1, messageYjsSyncStep2 } from "y-protocols/sync";
import * as Y from "yjs";
import { connect, type Client } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { enterRaw, namedUsers, tokenOf } from "./support/presence.ts";
import { RawClient } from "./support/raw-client.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";
import { copyOf, typed } from "./support/updates.ts";

const name = "room";

function enter({ url }: Composition, user: string, document = new Y.Doc()): Client {
  return connect({ url, name, document, token: tokenOf(user) });
}

/** In the room with this text, and away again: its page goes on alone. */
async function away(server: Composition, user: string, text: string): Promise<Client> {
  const client = await enter(server, user).saved();
  client.text.insert(client.text.length, text);
  await client.saved();
  client.provider.disconnect();
  await until("gone", () => server.log.events("connection-left").some((line) => line["user"] === user));
  return client;
}

/** Everything that the room has, with this at its end, under somebody's client id. */
async function forge(
  server: Composition,
  { doc: { clientID } }: Pick<Client, "doc">,
  edit: (doc: Y.Doc) => void,
): Promise<RawClient> {
  const reader = await enter(server, "max").synced();
  const doc = copyOf(reader.doc);
  reader.leave();
  doc.clientID = clientID;
  const before = Y.encodeStateVector(doc);
  edit(doc);
  const attacker = await enterRaw("max", { url: server.url, name });
  attacker.update(name, Y.encodeStateAsUpdate(doc, before));
  await until("taken", () => attacker.acksTo(name) > 0);
  return attacker;
}

const append =
  (text: string) =>
  (doc: Y.Doc): void =>
    doc.getText("text").insert(doc.getText("text").length, text);

async function unloaded(server: Composition): Promise<void> {
  await until("unloaded", () => !server.rooms.documents.has(name));
}

/** The same page with a new connection, or a new one that has it all from a local store: nothing waits in it to be sent. */
function returned(server: Composition, page: Client): Client {
  page.leave();
  return enter(server, "ana", page.doc);
}

/** Whatever it has been told, it was not that its edits are saved. */
async function refused(client: Client): Promise<void> {
  let wasSaved = false;
  client.provider.on("unsyncedChanges", ({ number }: { number: number }) => (wasSaved ||= number === 0));
  void client.provider.connect();
  expect(await client.denied()).toBe("client-id-taken");
  expect([wasSaved, client.provider.hasUnsyncedChanges]).toEqual([false, true]);
}

describe("somebody who is away", () => {
  const forgeries: [string, string, string][] = [
    ["as much as they did", "mine!", "not m"],
    ["more than they did", "mine!", "all that others have is this"],
    ["less than they did", "mine, and much more", "ha"],
  ];

  test.each(forgeries)(
    "[S21] is told for good that edits were not taken where another user has written %s under their client id",
    async (_what, mine, forged) => {
      const server = await startComposition(namedUsers);
      const owner = await away(server, "ana", "first, ");
      owner.text.insert(owner.text.length, mine);
      const attacker = await forge(server, owner, append(forged));
      await refused(owner);
      await refused(returned(server, owner));
      expect(server.log.events("message-refused")).toMatchObject([{ user: "ana" }, { user: "ana" }]);
      // The room goes on, with what it has, for everybody else.
      const other = await enter(server, "bob").saved();
      expect(other.content).toBe(`first, ${forged}`);
      other.text.insert(0, "B");
      await other.saved();
      expect(attacker.close).toBeNull();
      // And for the owner with a new document.
      const anew = await enter(server, "ana").saved();
      anew.text.insert(0, "A");
      await anew.saved();
      await until("seen", () => other.content === `ABfirst, ${forged}`);
    },
  );

  test("[S21] is told also when the room was unloaded and loaded since", async () => {
    const server = await startComposition({ ...namedUsers, ROOM_IDLE_SECONDS: "0.05" });
    const owner = await away(server, "ana", "first, ");
    owner.text.insert(owner.text.length, "mine");
    await unloaded(server);
    const attacker = await forge(server, owner, append("somebody else's"));
    attacker.socket.close();
    await unloaded(server);
    await refused(returned(server, owner));
  });

  test("[S21] is told also when the server was restarted since, and before they wrote", async () => {
    const env = { ...namedUsers, DATABASE_URL: tempDatabase().url };
    const before = await startComposition(env);
    const owner = await away(before, "ana", "first, ");
    const attacker = await forge(before, owner, append("somebody else's"));
    attacker.socket.close();
    await before.stop();
    owner.text.insert(owner.text.length, "mine");
    const after = await startComposition({ ...env, PORT: `${before.port}` });
    await refused(returned(after, owner));
    expect((await enter(after, "bob").saved()).content).toBe("first, somebody else's");
  });

  test("[S21] is told also in a large room, which the store answers for", async () => {
    const server = await startComposition(namedUsers);
    const owner = await away(server, "ana", "x".repeat(600_000));
    owner.text.insert(0, "mine");
    await forge(server, owner, append("somebody else's"));
    await refused(returned(server, owner));
  });

  test("[S21] is told of values as well, and of a document that has not been in the room before", async () => {
    const server = await startComposition(namedUsers);
    const doc = new Y.Doc();
    doc.getMap("tasks").set("one", "mine");
    await forge(server, { doc }, (forged) => forged.getMap("tasks").set("one", "somebody else's"));
    await refused(enter(server, "ana", doc));
  });

  test("[S21] a reader is not told that anything is saved", async () => {
    const server = await startComposition(namedUsers);
    const doc = new Y.Doc();
    doc.getText("text").insert(0, "mine");
    await forge(server, { doc }, append("another text"));
    const reader = await new RawClient(server.url).opened();
    reader.login(name, { token: tokenOf("ana", { access: "read" }) });
    reader.firstSync(name, Y.encodeStateVector(doc));
    reader.state(name, Y.encodeStateAsUpdate(doc));
    const declined = new OutgoingMessage(name).writeSyncStatus(false).toUint8Array();
    await until("declined", () => reader.count(declined) > 0);
    // Nor later, when it may write, and is asked again.
    const { length } = synced(reader, messageYjsSyncStep1);
    reader.login(name, { token: tokenOf("ana") });
    const asked = await until("asked again", () => synced(reader, messageYjsSyncStep1)[length]);
    reader.state(name, Y.encodeStateAsUpdate(doc, asked));
    await reader.refused(name, "client-id-taken");
    expect(reader.acksTo(name)).toBe(0);
  });

  test("[S21] who writes two things under one number is refused at the second", async () => {
    const server = await startComposition(namedUsers);
    const client = await enterRaw("max", { url: server.url, name });
    client.update(name, Y.mergeUpdates(typed("ab", 7)));
    await until("the first one's ack", () => client.acksTo(name) === 1);
    client.update(name, Y.mergeUpdates(typed("abc", 7)));
    await until("the longer one's ack", () => client.acksTo(name) === 2);
    client.update(name, Y.mergeUpdates(typed("abXd", 7)));
    await client.refused(name, "client-id-taken");
    expect(client.acksTo(name)).toBe(2);
    expect(server.rooms.documents.get(name)?.getText("text").toJSON()).toBe("abc");
  });
});

/** What the Sync messages of this sub-type carry: the state vector of the server's question, or what a client lacks. */
function synced(client: RawClient, subType: number): readonly Uint8Array[] {
  return client
    .contents(name, MessageType.Sync)
    .filter(([type]) => type === subType)
    .map((content) => decoding.readVarUint8Array(decoding.createDecoder(content.subarray(1))));
}

describe("the same history", () => {
  test("[S21] of a local store comes in by a new page of the same user, beside the old one", async () => {
    const server = await startComposition(namedUsers);
    const page = await away(server, "ana", "first, ");
    page.text.insert(page.text.length, "offline");
    const stored = Y.encodeStateAsUpdate(page.doc);
    for (let tab = 0; tab < 2; tab++) {
      const doc = new Y.Doc();
      Y.applyUpdate(doc, stored);
      const client = await enter(server, "ana", doc).saved();
      client.text.insert(0, "-");
      await client.saved();
    }
    await page.provider.connect();
    await page.saved();
    expect([page.content, page.denials]).toEqual(["--first, offline", []]);
  });

  test("[S21] of one user comes in by another one, with whom the device is shared, or who was nearer", async () => {
    const server = await startComposition(namedUsers);
    const page = await away(server, "ana", "first, ");
    page.text.insert(page.text.length, "offline");
    const doc = copyOf(page.doc);
    doc.getText("text").delete(0, 2);
    const other = await enter(server, "bob", doc).saved();
    // What comes next under the same id is in nobody's way.
    page.text.insert(page.text.length, " and further");
    await page.provider.connect();
    await page.saved();
    page.text.insert(page.text.length, " and here");
    await page.saved();
    await until("the same", () => other.content === page.content);
    expect([page.content, page.denials, page.closes.slice(1)]).toEqual([
      "rst, offline and further and here",
      [],
      [],
    ]);
  });

  test("[S21] comes back to a server that has lost it, whoever brings it first", async () => {
    const env = { ...namedUsers, DATABASE_URL: "memory:" };
    const before = await startComposition(env);
    const [ana, bob] = [await enter(before, "ana").saved(), await enter(before, "bob").saved()];
    ana.text.insert(0, "ana's");
    await until("seen", () => bob.content === "ana's");
    ana.provider.disconnect();
    bob.provider.disconnect();
    await before.stop();
    const after = await startComposition({ ...env, PORT: `${before.port}` });
    await bob.provider.connect();
    await bob.saved();
    await ana.provider.connect();
    await ana.saved();
    ana.text.insert(5, " and more");
    await ana.saved();
    await until("seen", () => bob.content === "ana's and more");
    expect([ana.denials, after.log.events("message-refused")]).toEqual([[], []]);
  });

  test("[S21] from which others have deleted meanwhile is the same", async () => {
    const server = await startComposition(namedUsers);
    const page = await away(server, "ana", "one two three 😀");
    page.tasks.set("a", new Y.Map([["title", "a task"]]));
    const other = await enter(server, "bob").saved();
    other.text.delete(4, 4);
    other.tasks.set("a", 1);
    await other.saved();
    page.text.delete(0, 3);
    page.text.insert(page.text.length, "!");
    await page.provider.connect();
    await page.saved();
    expect([page.content, page.denials]).toEqual([" three 😀!", []]);
  });

  test("[S21] that comes back is answered with what it lacks, and not with all of the room again", async () => {
    const server = await startComposition();
    const author = await connect({ url: server.url, name }).saved();
    author.text.insert(0, "x".repeat(10_000));
    await author.saved();
    const copy = copyOf(author.doc);
    author.text.insert(0, "new");
    await author.saved();
    const page = await new RawClient(server.url).opened();
    page.login(name);
    page.firstSync(name, Y.encodeStateVector(copy));
    const asked = await until("asked to show", () => synced(page, messageYjsSyncStep1)[0]);
    page.state(name, Y.encodeStateAsUpdate(copy, asked));
    const answer = await until("what it lacks", () => synced(page, messageYjsSyncStep2)[0]);
    Y.applyUpdate(copy, answer);
    expect(copy.getText("text").toJSON()).toBe(author.content);
    expect(answer.byteLength).toBeLessThan(100);
  });

  test("[S21] of guests, who are somebody else at each connection, comes in", async () => {
    const server = await startComposition();
    const guest = await connect({ url: server.url, name }).saved();
    guest.text.insert(0, "one");
    await guest.saved();
    for (const word of [" two", " three"]) {
      const { length } = guest.closes;
      guest.provider.disconnect();
      await until("away", () => guest.closes.length > length);
      guest.text.insert(guest.text.length, word);
      await guest.provider.connect();
      await guest.saved();
    }
    expect((await connect({ url: server.url, name }).synced()).content).toBe("one two three");
    expect(guest.denials).toEqual([]);
  });
});
