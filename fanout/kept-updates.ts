/**
 * Edits that another instance has taken from its clients and is about to commit, kept until it says that it has (`JournalProgress`, with each of
 * its edits and heartbeats). Nobody was told that they are saved, but clients here may build on them, and are told so of their own: if that
 * instance ends first, they are appended here. Twice is once (Yjs), so whoever is in doubt appends.
 */
import * as Y from "yjs";
import { KeptUpdate } from "./kept-update.ts";
import { isPeerOrigin, type PeerOrigin } from "./peer-origin.ts";

/**
 * So many own heartbeats have come back since, one a second: by a clock that stands still as long as nobody is heard, or nothing is done here.
 * Longer than it takes to find out that an instance is dead (5 s), or that it does not get its edits committed (`Journal.isBehind`), and
 * what it needs for a commit on a bad day.
 */
const KEEP_BEATS = 10;

/** Beyond, edits go into the journal at once, which costs a row for each instance. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

export interface KeptUpdatesOptions {
  /** Whether this instance commits what its clients write, into our store, as far as is known. */
  readonly saves: (instance: string) => boolean;
  readonly append: (room: string, update: Uint8Array) => void;
}

export class KeptUpdates {
  readonly #options: KeptUpdatesOptions;
  readonly #rooms = new Map<string, KeptUpdate[]>();
  /** What each instance has said last. */
  readonly #committed = new Map<string, number>();
  #bytes = 0;
  #beats = 0;

  constructor(options: KeptUpdatesOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether another instance journals what came with this origin; it is then kept here, unless it is committed already. */
  keeps(room: string, update: Uint8Array, origin: unknown): boolean {
    if (!isPeerOrigin(origin) || origin.isMixed || !this.#options.saves(origin.instance)) return false;
    if (isAmong(this.#committed.get(origin.instance), origin)) return true;
    if (this.#bytes + update.byteLength > MAX_KEPT_BYTES) return false;
    this.#bytes += update.byteLength;
    const kept = new KeptUpdate(update, { origin, since: this.#beats });
    const others = this.#rooms.get(room);
    if (others) others.push(kept);
    else this.#rooms.set(room, [kept]);
    return true;
  }

  /** What may be in the document and not in the store. */
  of(room: string): readonly Uint8Array[] {
    return this.#rooms.get(room)?.map(({ update }) => update) ?? [];
  }

  /** Lets go of what an instance says to have committed: so many of all that it has journaled, in its order. */
  committed(instance: string, count: number): void {
    // Nothing is kept for one that does not save, and of one that has ended nothing is to be remembered.
    if (!this.#options.saves(instance) || this.#committed.get(instance) === count) return;
    this.#committed.set(instance, count);
    this.#removeAll(({ origin }) => origin.instance === instance && isAmong(count, origin));
  }

  /**
   * Appends everything of this room, if an update that is about to be appended builds on some of it. In the store by itself the update could not
   * be read, should its base never be committed: both instances may end in the same moment. Never throws: it is called from Yjs' own events.
   */
  takeOverFor(room: string, update: Uint8Array): void {
    const kept = this.#rooms.get(room);
    if (kept && buildsOn(update, kept)) this.takeOver({ room });
  }

  /** Appends everything, or what is of one room, or what came from one instance. */
  takeOver({ room, instance }: { readonly room?: string; readonly instance?: string } = {}): void {
    if (instance !== undefined) this.#committed.delete(instance);
    for (const name of room === undefined ? [...this.#rooms.keys()] : [room])
      this.#append(name, (kept) => instance === undefined || kept.origin.instance === instance);
  }

  /**
   * To be called when an own heartbeat has come back. What is old: of edits with a number it would have been said that they are committed.
   * Others (answers to comparisons) must be by now.
   */
  sweep(): void {
    const until = ++this.#beats - KEEP_BEATS;
    for (const room of this.#rooms.keys())
      this.#append(room, ({ since, origin }) => since < until && origin.number !== undefined);
    this.#removeAll(({ since }) => since < until);
  }

  #append(room: string, isMeant: (kept: KeptUpdate) => boolean): void {
    for (const { update } of this.#remove(room, isMeant)) this.#options.append(room, update);
  }

  #removeAll(isMeant: (kept: KeptUpdate) => boolean): void {
    for (const room of this.#rooms.keys()) this.#remove(room, isMeant);
  }

  #remove(room: string, isMeant: (kept: KeptUpdate) => boolean): readonly KeptUpdate[] {
    const kept = this.#rooms.get(room) ?? [];
    const removed = kept.filter(isMeant);
    if (removed.length === kept.length) this.#rooms.delete(room);
    else if (removed.length > 0)
      this.#rooms.set(
        room,
        kept.filter((one) => !isMeant(one)),
      );
    for (const { update } of removed) this.#bytes -= update.byteLength;
    return removed;
  }
}

/** Whether an edit is one of the first `count` of its instance, as far as is known. */
function isAmong(count = 0, { number = Infinity }: PeerOrigin): boolean {
  return number <= count;
}

/** Whether an element of the update continues, or stands beside or in, one that is kept, or one after it of the same client id. */
function buildsOn(update: Uint8Array, kept: readonly KeptUpdate[]): boolean {
  const starts = new Map<number, number>();
  for (const one of kept)
    for (const [client, clock] of one.starts)
      starts.set(client, Math.min(clock, starts.get(client) ?? Infinity));
  const isKept = (id: unknown): boolean =>
    id instanceof Y.ID && id.clock >= (starts.get(id.client) ?? Infinity);
  return Y.decodeUpdate(update).structs.some((struct) => {
    const { client, clock } = struct.id;
    if (isKept(Y.createID(client, clock - 1))) return true;
    return struct instanceof Y.Item && [struct.origin, struct.rightOrigin, struct.parent].some(isKept);
  });
}
