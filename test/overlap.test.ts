/** One history is never taken for two, however it was cut, merged and collected; two are, wherever they part. */
import { Document } from "@hocuspocus/server";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { questionFor, readClaims } from "../sync/claims.ts";
import { findConflict } from "../sync/overlap.ts";
import { readContents } from "../sync/update-contents.ts";

const PEERS = 3;

type Step =
  | { readonly kind: "type"; readonly peer: number; readonly at: number; readonly text: string }
  | { readonly kind: "erase"; readonly peer: number; readonly at: number; readonly length: number }
  | { readonly kind: "format"; readonly peer: number; readonly at: number; readonly length: number }
  | { readonly kind: "set"; readonly peer: number; readonly key: string; readonly value: unknown }
  | { readonly kind: "push"; readonly peer: number; readonly values: readonly unknown[] }
  | { readonly kind: "unset"; readonly peer: number; readonly key: string }
  | { readonly kind: "nest"; readonly peer: number; readonly key: string }
  | { readonly kind: "undo"; readonly peer: number }
  | { readonly kind: "sync"; readonly peer: number; readonly from: number; readonly merged: boolean };

const peer = fc.nat(PEERS - 1);
const at = fc.nat(1000);
const length = fc.integer({ min: 1, max: 12 });
const key = fc.constantFrom("a", "b", "c");
const value = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array(),
  fc.object({ maxDepth: 1 }),
);
// Characters of two halves among them: an edit may cut one.
const text = fc.string({ unit: fc.constantFrom("a", "b", "😀", "é", "\ufffd"), minLength: 1, maxLength: 12 });

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("type" as const), peer, at, text }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("erase" as const), peer, at, length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("format" as const), peer, at, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("set" as const), peer, key, value }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      peer,
      values: fc.array(value, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unset" as const), peer, key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("nest" as const), peer, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("undo" as const), peer }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("sync" as const), peer, from: peer, merged: fc.boolean() }),
  },
);

interface Peer {
  readonly doc: Document;
  /** Keeps what it may bring back from being collected. */
  readonly undo: Y.UndoManager | null;
}

function makePeer(gc: boolean): Peer {
  const doc = new Document("room", { gc });
  doc.gc = gc;
  return { doc, undo: null };
}

function run(peers: readonly Peer[], step: Step): void {
  const { doc, undo } = peers[step.peer] as Peer;
  const body = doc.getText("text");
  switch (step.kind) {
    case "type":
      body.insert(step.at % (body.length + 1), step.text);
      break;
    case "erase":
      if (body.length > 0)
        body.delete(step.at % body.length, Math.min(step.length, body.length - (step.at % body.length)));
      break;
    case "format":
      if (body.length > 0)
        body.format(step.at % body.length, Math.min(step.length, body.length - (step.at % body.length)), {
          bold: step.at % 2 === 0,
        });
      break;
    case "set":
      doc.getMap("map").set(step.key, step.value);
      break;
    case "push":
      doc.getArray("list").push([...step.values]);
      break;
    case "unset":
      doc.getMap("map").delete(step.key);
      break;
    case "nest": {
      const map = new Y.Map<unknown>();
      doc.getMap("map").set(step.key, map);
      map.set("inner", new Y.Text("words"));
      map.set("list", Y.Array.from([1, 2, 3]));
      break;
    }
    case "undo":
      undo?.undo();
      break;
    case "sync": {
      const { doc: from } = peers[step.from] as Peer;
      // As the store gives it: one update out of two.
      const update = step.merged
        ? Y.mergeUpdates([Y.encodeStateAsUpdate(doc), Y.encodeStateAsUpdate(from)])
        : Y.encodeStateAsUpdate(from, Y.encodeStateVector(doc));
      Y.applyUpdate(doc, update);
    }
  }
}

/** All that a document has, from a clock of each client id on that is drawn from `seed`. */
function someOf(doc: Y.Doc, seed: number): Uint8Array {
  const clocks = Y.decodeStateVector(Y.encodeStateVector(doc));
  for (const [client, end] of clocks) clocks.set(client, (seed * 7919) % (end + 1));
  return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(clocks));
}

describe("comparison", () => {
  test("[S21] documents that had the same edits are never found different, whatever was deleted, collected, split, merged or undone", () => {
    fc.assert(
      fc.property(
        fc.array(steps, { maxLength: 80, size: "max" }),
        fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
        fc.nat(1000),
        (script, gc, seed) => {
          const peers = gc.map(makePeer);
          const { doc } = peers[0] as Peer;
          const undo = new Y.UndoManager([doc.getText("text"), doc.getMap("map"), doc.getArray("list")]);
          peers[0] = { doc, undo };
          for (const each of script) {
            run(peers, each);
            for (const { doc: ours } of peers) {
              for (const { doc: theirs } of peers) {
                expect(findConflict(ours, readContents(someOf(theirs, seed)))).toBeNull();
                const asked = questionFor(ours, readClaims(ours, Y.encodeStateVector(theirs)));
                expect(findConflict(ours, readContents(Y.encodeStateAsUpdate(theirs, asked)))).toBeNull();
              }
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  }, 120_000);

  test("[S21] two pieces of writing under one client id are told apart by what is asked for, wherever each of them ends", () => {
    const words = fc.string({
      unit: fc.constantFrom("a", "b", "c", "d", "e", "f", "g"),
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(words, words, words, fc.boolean(), (before, mine, forged, gc) => {
        // Where one begins like the other it is the same writing, as far as it goes.
        fc.pre(mine.slice(0, forged.length) !== forged.slice(0, mine.length));
        const end = Math.min(mine.length, forged.length);
        fc.pre(mine.slice(Math.max(0, end - 8), end) !== forged.slice(Math.max(0, end - 8), end));
        const page = makePeer(gc).doc;
        page.getText("text").insert(0, before);
        const room = makePeer(true).doc;
        Y.applyUpdate(room, Y.encodeStateAsUpdate(page));
        page.getText("text").insert(before.length, mine);
        room.clientID = page.clientID;
        room.getText("text").insert(before.length, forged);
        const asked = questionFor(room, readClaims(room, Y.encodeStateVector(page)));
        const answer = Y.encodeStateAsUpdate(page, asked);
        expect(findConflict(room, readContents(answer))).not.toBeNull();
        // And it is little.
        expect(answer.byteLength).toBeLessThan(mine.length + 80);
      }),
    );
  });

  const places: [string, (doc: Y.Doc, isRoom: boolean) => void][] = [
    ["text elsewhere", (doc, isRoom) => doc.getText("text").insert(isRoom ? 0 : 2, "the same words")],
    // Its right neighbour is the same, none, and so is what is typed.
    [
      "text behind somebody else's",
      (doc, isRoom) => {
        if (isRoom) somebodyTypes(doc);
        doc.getText("text").insert(doc.getText("text").length, "words");
      },
    ],
    ["text in another type", (doc, isRoom) => doc.getText(isRoom ? "one" : "two").insert(0, "words")],
    ["value under another key", (doc, isRoom) => doc.getMap("map").set(isRoom ? "one" : "two", 1)],
    ["number", (doc, isRoom) => doc.getMap("map").set("key", isRoom ? 1 : 2)],
    ["kind of value", (doc, isRoom) => doc.getMap("map").set("key", isRoom ? {} : "object")],
    ["kind of type", (doc, isRoom) => doc.getMap("map").set("key", isRoom ? new Y.Map() : new Y.Text())],
    ["picture", (doc, isRoom) => doc.getMap("map").set("key", Uint8Array.of(isRoom ? 1 : 2))],
    ["list", (doc, isRoom) => doc.getArray("list").push(["a", isRoom ? "b" : "c", "d"])],
    ["kind of element", (doc, isRoom) => doc.getArray("list").push([isRoom ? "a" : Uint8Array.of(1)])],
    // Of which both halves differ.
    ["emoji", (doc, isRoom) => doc.getText("text").insert(2, isRoom ? "\u{1F300}" : "\u{1F600}")],
    ["value of a format", (doc, isRoom) => doc.getText("text").format(0, 1, { size: isRoom ? 1 : 2 })],
    ["format", (doc, isRoom) => doc.getText("text").format(0, 1, isRoom ? { bold: true } : { italic: true })],
  ];

  test.each(places)("[S21] another %s is another edit", (_what, edit) => {
    const page = new Y.Doc();
    page.getText("text").insert(0, "ab");
    const { doc: room } = makePeer(true);
    Y.applyUpdate(room, Y.encodeStateAsUpdate(page));
    edit(page, false);
    room.clientID = page.clientID;
    edit(room, true);
    const asked = questionFor(room, readClaims(room, Y.encodeStateVector(page)));
    expect(findConflict(room, readContents(Y.encodeStateAsUpdate(page, asked)))).not.toBeNull();
  });

  test("[S21] an object that a page has changed in place is the one that it sent", () => {
    const page = new Y.Doc();
    const { doc: room } = makePeer(true);
    const task = { title: "a task", done: false };
    page.getArray("tasks").push([task]);
    Y.applyUpdate(room, Y.encodeStateAsUpdate(page));
    task.done = true;
    expect(findConflict(room, readContents(Y.encodeStateAsUpdate(page)))).toBeNull();
  });

  test("[S21] nothing is nothing and a number is a number, whatever a library makes of it", () => {
    const page = new Y.Doc();
    const { doc: room } = makePeer(true);
    room.clientID = page.clientID;
    const values = { nothing: [undefined, null], one: [1, 1n], zero: [0, -0] } as const;
    for (const [what, [mine, theirs]] of Object.entries(values)) {
      page.getMap("map").set(what, mine);
      room.getMap("map").set(what, theirs);
    }
    expect(findConflict(room, readContents(Y.encodeStateAsUpdate(page)))).toBeNull();
  });
});

describe("question", () => {
  test("[S21] a client that comes back sends little again, and one that comes with nothing is asked as ever", () => {
    const { doc: room } = makePeer(true);
    for (let writer = 1; writer <= 20; writer++) {
      room.clientID = writer;
      room.getMap("pictures").set(`${writer}`, new Uint8Array(100_000));
      room.getArray("list").push([{ large: "x".repeat(5000) }, { large: "x".repeat(5000) }, { small: "y" }]);
      room.getText("text").insert(0, "more words ".repeat(100));
    }
    const all = Y.encodeStateVector(room);
    expect(answerOf(room, all).byteLength).toBeLessThan(20 * 40);
    expect(answerOf(room, all).byteLength).toBeGreaterThan(20 * 15);
    const none = Y.encodeStateVector(new Y.Doc());
    expect(questionFor(room, readClaims(room, none))).toEqual(all);
    // Nothing is remembered of ids that nobody has here.
    const stranger = new Y.Doc();
    stranger.getText("text").insert(0, "written elsewhere");
    expect(readClaims(room, Y.encodeStateVector(stranger)).size).toBe(0);
  });

  test("[S21] of large values the last one is asked for, and no more than 256 kB in all", () => {
    const { doc: room } = makePeer(true);
    for (let writer = 1; writer <= 20; writer++) {
      room.clientID = writer;
      room.getArray("list").push([{ large: ["x".repeat(20_000)] }, { large: ["x".repeat(20_000)] }]);
    }
    const everything = Y.encodeStateVector(room);
    const { byteLength } = answerOf(room, everything);
    expect(byteLength).toBeGreaterThan(220_000);
    expect(byteLength).toBeLessThan(270_000);
    // What people write comes before it, whatever its id.
    for (const writer of [0, 100]) {
      room.clientID = writer;
      room.getText("text").insert(0, "words");
    }
    const asked = Y.decodeStateVector(questionFor(room, readClaims(room, Y.encodeStateVector(room))));
    expect([asked.get(0), asked.get(100)]).toEqual([0, 0]);
  });

  test("[S21] of values that are each an element of their own no more are asked for than make a kB", () => {
    const { doc: room } = makePeer(true);
    for (let i = 0; i < 8; i++) room.getMap("map").set(`key-${i}`, "x".repeat(2000));
    expect(answerOf(room, Y.encodeStateVector(room)).byteLength).toBeLessThan(4000);
  });

  test.each(["text", "text and types"])("[S21] %s deleted at the end hides nothing that is not", (what) => {
    const { doc: room } = makePeer(true);
    const body = room.getText("text");
    body.insert(0, "before, forged and hidden");
    body.delete(15, 10);
    if (what !== "text") {
      room.getMap("map").set("gone", new Y.Map([["inner", 1]]));
      room.getMap("map").delete("gone");
    }
    const page = new Y.Doc();
    page.clientID = room.clientID;
    page.getText("text").insert(0, "before, mine, and much more than that");
    const asked = questionFor(room, readClaims(room, Y.encodeStateVector(page)));
    expect(findConflict(room, readContents(Y.encodeStateAsUpdate(page, asked)))).not.toBeNull();
  });
});

function somebodyTypes(doc: Y.Doc): void {
  const theirs = new Y.Doc();
  Y.applyUpdate(theirs, Y.encodeStateAsUpdate(doc));
  theirs.getText("text").insert(theirs.getText("text").length, "theirs");
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(theirs));
}

/** What a client with the same document sends again. */
function answerOf(room: Document, stateVector: Uint8Array): Uint8Array {
  return Y.encodeStateAsUpdate(room, questionFor(room, readClaims(room, stateVector)));
}
