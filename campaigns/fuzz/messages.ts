/** Well-formed messages of the protocol, as fast-check draws them: what a mutation starts from. */
import { MessageType } from "@hocuspocus/server";
import * as fc from "fast-check";
import * as encoding from "lib0/encoding";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import * as Y from "yjs";

/** Two that others are in as well, and some that nobody should be able to open or confuse. */
const ROOMS = [
  "fuzzed",
  "fuzzed",
  "fuzzed",
  "fuzzed-2",
  "fuzzed\0session",
  "",
  " ",
  "__proto__",
  "a".repeat(300),
];

const room = fc.constantFrom(...ROOMS);

/** What people do to a document. */
const operation: fc.Arbitrary<(doc: Y.Doc) => void> = fc.oneof(
  fc.tuple(fc.nat(20), fc.string({ maxLength: 20 })).map(([at, text]) => (doc: Y.Doc) => {
    const target = doc.getText("text");
    target.insert(Math.min(at, target.length), text || "x");
  }),
  fc.nat(20).map((length) => (doc: Y.Doc) => {
    const target = doc.getText("text");
    target.delete(0, Math.min(length, target.length));
  }),
  fc.tuple(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 })).map(([key, value]) => (doc: Y.Doc) => {
    doc.getMap("map").set(key, value);
  }),
  fc.nat(30).map((depth) => (doc: Y.Doc) => {
    let map = doc.getMap("nested");
    for (let level = 0; level < depth; level++) {
      const child = new Y.Map<unknown>();
      map.set("child", child);
      map = child;
    }
  }),
  fc.constant((doc: Y.Doc) => {
    doc.getXmlFragment("xml").insert(0, [new Y.XmlElement("p"), new Y.XmlText("x")]);
  }),
  fc.constant((doc: Y.Doc) => {
    doc.getMap("docs").set("sub", new Y.Doc());
  }),
);

/** An update of a few edits; which of them is left out makes it hang in the air. */
const update = fc
  .record({
    clientID: fc.integer({ min: 1, max: 2 ** 31 }),
    operations: fc.array(operation, { minLength: 1, maxLength: 6 }),
    skipped: fc.nat(3),
  })
  .map(({ clientID, operations, skipped }) => {
    const doc = new Y.Doc();
    doc.clientID = clientID;
    const updates: Uint8Array[] = [];
    doc.on("update", (bytes: Uint8Array) => updates.push(bytes));
    for (const run of operations) doc.transact(() => run(doc));
    const kept = skipped === 0 ? updates.slice(1) : updates;
    return kept.length > 0 ? Y.mergeUpdates(kept) : Y.encodeStateAsUpdate(new Y.Doc());
  });

const stateVector = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 5 }).map((entries) =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length);
    for (const pair of entries) for (const n of pair) encoding.writeVarUint(encoder, n);
  }),
);

const awareness = fc
  .array(fc.tuple(fc.nat(), fc.nat(100), fc.jsonValue({ maxDepth: 4 })), { maxLength: 4 })
  .map((states) =>
    encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, states.length);
      for (const [client, clock, state] of states) {
        encoding.writeVarUint(encoder, client);
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarString(encoder, JSON.stringify(state));
      }
    }),
  );

type Body = (encoder: encoding.Encoder) => void;

const sync =
  (type: number, payload: Uint8Array): Body =>
  (encoder) => {
    encoding.writeVarUint(encoder, type);
    encoding.writeVarUint8Array(encoder, payload);
  };
const text =
  (...strings: string[]): Body =>
  (encoder) => {
    for (const string of strings) encoding.writeVarString(encoder, string);
  };
const nothing: Body = () => {};

const typeAndBody: fc.Arbitrary<[MessageType, Body]> = fc.oneof(
  {
    arbitrary: update.map((bytes): [MessageType, Body] => [MessageType.Sync, sync(messageYjsUpdate, bytes)]),
    weight: 5,
  },
  update.map((bytes): [MessageType, Body] => [MessageType.Sync, sync(messageYjsSyncStep2, bytes)]),
  stateVector.map((bytes): [MessageType, Body] => [MessageType.Sync, sync(messageYjsSyncStep1, bytes)]),
  update.map((bytes): [MessageType, Body] => [MessageType.SyncReply, sync(messageYjsSyncStep2, bytes)]),
  awareness.map((bytes): [MessageType, Body] => [
    MessageType.Awareness,
    (encoder) => encoding.writeVarUint8Array(encoder, bytes),
  ]),
  fc.string().map((payload): [MessageType, Body] => [MessageType.Stateless, text(payload)]),
  fc.constantFrom<[MessageType, Body]>(
    [MessageType.QueryAwareness, nothing],
    [MessageType.CLOSE, text("bye")],
    [MessageType.Ping, nothing],
    [MessageType.Pong, nothing],
    [MessageType.BroadcastStateless, text("all")],
    [MessageType.SyncStatus, (encoder) => encoding.writeVarUint(encoder, 1)],
    [MessageType.Auth, (encoder) => (encoding.writeVarUint(encoder, 0), text("guest", "4.8.0")(encoder))],
    [MessageType.Auth, (encoder) => (encoding.writeVarUint(encoder, 1), text("denied")(encoder))],
  ),
);

export const message: fc.Arbitrary<Uint8Array> = fc
  .tuple(room, typeAndBody)
  .map(([address, [type, body]]) => encode(address, type, body));

/** The first message of a session that gets in. */
export function login(address: string): Uint8Array {
  return encode(address, MessageType.Auth, (encoder) => {
    encoding.writeVarUint(encoder, 0);
    text("guest", "4.8.0")(encoder);
  });
}

function encode(address: string, type: MessageType, body: Body): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, address);
    encoding.writeVarUint(encoder, type);
    body(encoder);
  });
}
