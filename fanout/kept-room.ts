/** What is kept of one room (`KeptUpdates`), and which elements that is. */
import * as Y from "yjs";
import { readContents, type UpdateContents } from "../sync/update-contents.ts";

export interface Kept {
  readonly instance: string;
  readonly update: Uint8Array;
  /** `performance.now()` */
  readonly since: number;
}

/** For each client id the clock of the first element. */
type Starts = Map<number, number>;

export class KeptRoom {
  #updates: Kept[] = [];
  /** Of those that were looked at: only where somebody here edits as well are they read. */
  readonly #startsOf = new WeakMap<Kept, Starts>();
  /** Of the first `#read` updates together. */
  #starts: Starts = new Map();
  #read = 0;

  get updates(): readonly Kept[] {
    return this.#updates;
  }

  add(kept: Kept): void {
    this.#updates.push(kept);
  }

  remove(isMeant: (kept: Kept) => boolean): readonly Kept[] {
    const removed = this.#updates.filter(isMeant);
    if (removed.length === 0) return removed;
    this.#updates = this.#updates.filter((kept) => !isMeant(kept));
    this.#starts = new Map();
    this.#read = 0;
    return removed;
  }

  /** Whether an element of an update continues, or stands beside or in, one that is kept, or one after it of the same client id. */
  holdsBaseOf({ structs }: UpdateContents): boolean {
    for (const kept of this.#updates.slice(this.#read)) addTo(this.#starts, this.#startsIn(kept));
    this.#read = this.#updates.length;
    const isKept = (id: unknown): boolean =>
      id instanceof Y.ID && id.clock >= (this.#starts.get(id.client) ?? Infinity);
    return structs.some((struct) => {
      const { client, clock } = struct.id;
      if (isKept(Y.createID(client, clock - 1))) return true;
      return struct instanceof Y.Item && [struct.origin, struct.rightOrigin, struct.parent].some(isKept);
    });
  }

  #startsIn(kept: Kept): Starts {
    let starts = this.#startsOf.get(kept);
    if (!starts) {
      starts = new Map();
      for (const { id } of readContents(kept.update).structs)
        if (!starts.has(id.client)) starts.set(id.client, id.clock);
      this.#startsOf.set(kept, starts);
    }
    return starts;
  }
}

function addTo(starts: Starts, more: Starts): void {
  for (const [client, clock] of more) starts.set(client, Math.min(clock, starts.get(client) ?? Infinity));
}
