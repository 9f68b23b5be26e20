/**
 * What is remembered beside a copy's document, in the store that y-indexeddb keeps for such things: the access, whether the room was ever there as a whole, and how many
 * edits the server has not acknowledged.
 *
 * Several tabs of one person share a copy, and each knows only of its own edits. So each has a note of its own, and one that is told "saved" takes back no more than it has seen.
 */
import { done } from "./indexed-db.ts";

export type Access = "read" | "write";

const STORE = "custom";
const UNSAVED = "unsaved:";

export class CopyNotes {
  readonly #db: IDBDatabase;
  readonly #mine = `${UNSAVED}${crypto.randomUUID()}`;
  /** The notes of others that this tab has read, together with their edits. */
  readonly #theirs = new Map<string, number>();

  constructor(db: IDBDatabase) {
    this.#db = db;
  }

  async read(): Promise<{ unsaved: number; access: Access | null; isWhole: boolean }> {
    const store = this.#store("readonly");
    const [access, whole, unsaved] = await Promise.all([
      done<unknown>(store.get("access")),
      done<unknown>(store.get("whole")),
      unsavedIn(store),
    ]);
    for (const [key, count] of unsaved) this.#theirs.set(key, count);
    return {
      unsaved: sum(unsaved),
      access: access === "read" || access === "write" ? access : null,
      isWhole: whole === true,
    };
  }

  /** So that a page that opens offline knows whether it may edit. */
  access(access: Access): void {
    this.#write((store) => store.put(access, "access"));
  }

  /** The room has been here as it is on the server: from now on an empty copy is an empty room. */
  whole(): void {
    this.#write((store) => store.put(true, "whole"));
  }

  /** Of all that are unsaved here, with those of others that this tab has read. */
  unsaved(all: number): void {
    const own = all - sum(this.#theirs);
    this.#write((store) => store.put(own, this.#mine));
  }

  /** The server has acknowledged all that this tab has. */
  saved(): void {
    const theirs = [...this.#theirs];
    this.#theirs.clear();
    this.#write(async (store) => {
      store.delete(this.#mine);
      // One that has grown since belongs to a tab that goes on writing.
      for (const [key, seen] of theirs) if ((await done<unknown>(store.get(key))) === seen) store.delete(key);
    });
  }

  #store(mode: IDBTransactionMode): IDBObjectStore {
    return this.#db.transaction(STORE, mode).objectStore(STORE);
  }

  /** Best effort: the copy may have been closed or deleted since. */
  #write(change: (store: IDBObjectStore) => unknown): void {
    try {
      void Promise.resolve(change(this.#store("readwrite"))).catch(() => {});
    } catch {
      // Closed: nothing is kept any more, and nothing has to be noted.
    }
  }
}

/** How many edits the notes of a copy name. */
export async function countUnsaved(db: IDBDatabase): Promise<number> {
  return sum(await unsavedIn(db.transaction(STORE, "readonly").objectStore(STORE)));
}

async function unsavedIn(store: IDBObjectStore): Promise<Map<string, number>> {
  const range = IDBKeyRange.bound(UNSAVED, `${UNSAVED}\uFFFF`);
  const [keys, counts] = await Promise.all([
    done(store.getAllKeys(range)),
    done<unknown[]>(store.getAll(range)),
  ]);
  return new Map(keys.map((key, index) => [key as string, Number(counts[index])]));
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
