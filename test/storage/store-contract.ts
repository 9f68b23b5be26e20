/** What every `Store` must do. Three lines in a test file add an implementation. */
import { describe, expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import type { JournalEntry, Store, StoredRoom } from "../../storage/store.ts";

/** Opens a store on `place`; the same place opens again with the same content, if the store is a durable one. */
export interface StoreUnderTest {
  readonly durable: boolean;
  readonly newPlace: () => string;
  readonly open: (place: string) => Store;
}

export function storeContract(name: string, { durable, newPlace, open }: StoreUnderTest): void {
  const opened = (place = newPlace()): Store => {
    const store = open(place);
    onTestFinished(() => store.close());
    return store;
  };

  describe(`${name} store`, () => {
    test("[S7] a room that was never written is empty", async () => {
      expect(await opened().load("nobody")).toEqual({ snapshot: null, updates: [], unreadable: [] });
    });

    test("[S7] what was appended is loaded, in its order, room by room", async () => {
      const store = opened();
      const writer = new Writer();
      await store.append([
        writer.insert("room", "a"),
        new Writer().insert("other", "x"),
        writer.insert("room", "b"),
      ]);
      await store.append([writer.insert("room", "c")]);
      expect(textOf(await store.load("room"))).toBe("abc");
      expect(textOf(await store.load("other"))).toBe("x");
    });

    test("[S7] compacting changes nothing that can be seen, and leaves no journal", async () => {
      const store = opened();
      const writer = new Writer();
      await store.append([writer.insert("room", "a"), writer.insert("room", "b")]);
      expect(await store.compact("room")).toMatchObject({ rows: 2 });
      await store.append([writer.insert("room", "c")]);
      expect(await store.load("room")).toMatchObject({ updates: { length: 1 } });
      expect(textOf(await store.load("room"))).toBe("abc");
      expect(await store.compact("room")).toMatchObject({ rows: 1 });
      expect(await store.compact("room")).toMatchObject({ rows: 0 });
      expect(textOf(await store.load("room"))).toBe("abc");
    });

    test("[S7] compacting drops the content of what was deleted", async () => {
      const store = opened();
      const writer = new Writer();
      await store.append([writer.insert("room", "x".repeat(10_000)), writer.clear("room")]);
      expect((await store.compact("room")).bytes).toBeLessThan(200);
    });

    test("[S7] updates that came in the wrong order, or twice, are the same room", async () => {
      const store = opened();
      const writer = new Writer();
      const [a, b, c] = ["a", "b", "c"].map((text) => writer.insert("room", text)) as [
        JournalEntry,
        JournalEntry,
        JournalEntry,
      ];
      await store.append([c, a]);
      await store.compact("room");
      await store.append([b, b, a]);
      await store.compact("room");
      expect(textOf(await store.load("room"))).toBe("abc");
    });

    test("[S7] compacting one room leaves the others alone", async () => {
      const store = opened();
      const writer = new Writer();
      await store.append([writer.insert("room", "a"), new Writer().insert("other", "x")]);
      await store.compact("room");
      expect((await store.load("other")).updates).toHaveLength(1);
    });

    test("[S10] a row that does not decode is set aside and told once, and the rest of the room is there", async () => {
      for (const firstUse of ["load", "compact"] as const) {
        const store = opened();
        const writer = new Writer();
        const entry = writer.insert("room", "a");
        const broken = { ...entry, update: entry.update.subarray(0, entry.update.byteLength - 3) };
        await store.append([entry, broken, writer.insert("room", "b")]);
        const { unreadable } = await store[firstUse]("room");
        expect(unreadable).toEqual([{ seq: expect.any(Number), reason: expect.stringContaining("decode") }]);
        expect((await store.load("room")).unreadable).toEqual([]);
        await store.compact("room");
        expect(textOf(await store.load("room"))).toBe("ab");
      }
    });

    test("[S7] any room name and any author is only data", async () => {
      const store = opened();
      const room = `Robert'); DROP TABLE documents;-- \u{1F3E0} "*?${"n".repeat(150)}`;
      await store.append([{ ...new Writer().insert(room, "safe"), author: "'; --" }]);
      await store.compact(room);
      expect(textOf(await store.load(room))).toBe("safe");
    });

    test("[S7] an empty append is fine, and a check tells that the store works", async () => {
      const store = opened();
      await store.append([]);
      await expect(store.check()).resolves.toBeUndefined();
    });

    test("[I8] a store says the same of itself each time, and no two stores say the same", async () => {
      const store = opened();
      const identity = await store.identity();
      expect(identity).toMatch(/^[\w-]{36}$/);
      expect(await store.identity()).toBe(identity);
      expect(await opened().identity()).not.toBe(identity);
    });

    if (!durable) return;

    test("[I8] all who have a store open agree on what it is, however they come together", async () => {
      const place = newPlace();
      const identities = await Promise.all([1, 2, 3].map(() => opened(place).identity()));
      expect(new Set(identities).size).toBe(1);
    });

    test("[S7] a store that is opened again has what was appended and compacted", async () => {
      const place = newPlace();
      const first = open(place);
      const writer = new Writer();
      await first.append([writer.insert("room", "a")]);
      await first.compact("room");
      await first.append([writer.insert("room", "b")]);
      await first.close();
      expect(textOf(await opened(place).load("room"))).toBe("ab");
    });
  });
}

/** Makes the journal entries of one user typing at the end of a text. */
export class Writer {
  readonly doc = new Y.Doc();
  #last: Uint8Array = new Uint8Array();

  constructor() {
    this.doc.on("update", (update: Uint8Array) => (this.#last = update));
  }

  insert(room: string, text: string): JournalEntry {
    const target = this.doc.getText("text");
    target.insert(target.length, text);
    return { room, update: this.#last, at: Date.now(), author: "ana" };
  }

  clear(room: string): JournalEntry {
    const target = this.doc.getText("text");
    target.delete(0, target.length);
    return { room, update: this.#last, at: Date.now(), author: "ana" };
  }
}

export function textOf({ snapshot, updates }: Pick<StoredRoom, "snapshot" | "updates">): string {
  const doc = new Y.Doc();
  if (snapshot) Y.applyUpdate(doc, snapshot);
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc.getText("text").toJSON();
}
