/**
 * Edits that another instance has taken from its clients and is about to commit, kept until it must have done so. Nobody was told that they
 * are saved, but clients here may build on them, and are told so of their own: if that instance ends first, they are appended here. Twice is
 * once (Yjs), so whoever is in doubt appends.
 */
import type { UpdateContents } from "../sync/update-contents.ts";
import { KeptRoom, type Kept } from "./kept-room.ts";
import { peerOf } from "./peer-origin.ts";

/**
 * Longer than it takes to find out that an instance is dead (5 s), or that it does not get its edits committed (`Journal.isBehind`), and
 * what it needs for a commit on a bad day.
 */
const KEEP_MS = 10_000;

/** Beyond, edits go into the journal at once, which costs a row for each instance. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

export interface KeptUpdatesOptions {
  /** Whether this instance commits what its clients write, into our store, as far as is known. */
  readonly saves: (instance: string) => boolean;
  readonly append: (room: string, update: Uint8Array) => void;
}

export class KeptUpdates {
  readonly #options: KeptUpdatesOptions;
  readonly #rooms = new Map<string, KeptRoom>();
  #bytes = 0;

  constructor(options: KeptUpdatesOptions) {
    this.#options = options;
  }

  /** Whether another instance journals what came with this origin; it is then kept here. */
  keeps(room: string, update: Uint8Array, origin: unknown): boolean {
    const instance = peerOf(origin);
    if (instance === null || !this.#options.saves(instance)) return false;
    if (this.#bytes + update.byteLength > MAX_KEPT_BYTES) return false;
    this.#bytes += update.byteLength;
    const kept = this.#rooms.get(room) ?? new KeptRoom();
    this.#rooms.set(room, kept);
    kept.add({ instance, update, since: performance.now() });
    return true;
  }

  /** What may be in the document and not in the store. */
  of(room: string): readonly Uint8Array[] {
    return this.#rooms.get(room)?.updates.map(({ update }) => update) ?? [];
  }

  /**
   * Whether an update builds on what is kept. In the store by itself it could not be read, should its base never be committed: both instances
   * may end in the same moment.
   */
  holdsBaseOf(room: string, contents: UpdateContents): boolean {
    return this.#rooms.get(room)?.holdsBaseOf(contents) ?? false;
  }

  /** Appends everything, or what is of one room, or what came from one instance. */
  takeOver({ room, instance }: { readonly room?: string; readonly instance?: string } = {}): void {
    for (const name of room === undefined ? [...this.#rooms.keys()] : [room])
      for (const { update } of this.#remove(name, (kept) => !instance || kept.instance === instance))
        this.#options.append(name, update);
  }

  /** Lets go of what is committed by now. */
  sweep(): void {
    const until = performance.now() - KEEP_MS;
    for (const room of this.#rooms.keys()) this.#remove(room, ({ since }) => since < until);
  }

  #remove(room: string, isMeant: (kept: Kept) => boolean): readonly Kept[] {
    const kept = this.#rooms.get(room);
    const removed = kept?.remove(isMeant) ?? [];
    if (kept?.updates.length === 0) this.#rooms.delete(room);
    for (const { update } of removed) this.#bytes -= update.byteLength;
    return removed;
  }
}
