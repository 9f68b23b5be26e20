/**
 * The write-ahead journal, main-thread side. One batch of updates is under way at a time, and whatever arrives meanwhile is the next
 * one: a slow disk gets fewer, larger commits by itself.
 *
 * `append` never throws: it is called from a Yjs `update` listener, where a throw is swallowed by y-protocols and leaves a dead
 * document behind (Yjs 13.6: a stale transaction cleanup, no `update` event ever again). A batch that cannot be committed is
 * kept and tried again with backoff until it is.
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { JournalEntry, Store } from "./store.ts";

/**
 * A commit costs about 300 µs of CPU, two threads woken and an fsync, whatever is in it. One per turn made a thousand updates a second
 * cost half as much again as stock Hocuspocus does. So after a commit the next one waits until it is worth it: this many updates, or
 * this long. A lone edit does not wait, and under load "saved" comes 40 ms later at most, less than a blink.
 */
const COMMIT_ROWS = 100;
const COMMIT_INTERVAL_MS = 40;
const FIRST_RETRY_MS = 100;
/** Short enough that saving goes on within seconds of the disk's return. */
const LONGEST_RETRY_MS = 5000;
/** A commit that takes longer than the slowest that are fine: other instances then save what was written here. */
const LONGEST_COMMIT_MS = 2000;

/** Somebody who waits for edits to be durable. */
export interface SavedWaiter {
  /** @param count of those waited for, as it was given. */
  saved(count: number): void;
}

interface Batch {
  readonly entries: JournalEntry[];
  readonly rooms: Set<string>;
  /** With counts, and not one by one: a client may wait for a known edit again and again, as long as the trouble lasts. */
  readonly waiters: Map<SavedWaiter, number>;
}

export interface JournalEvents {
  /** The room has nothing uncommitted any more. */
  readonly onSaved: (room: string) => void;
  /** A batch failed for the `attempt`th time in a row. */
  readonly onTrouble: (error: unknown, attempt: number) => void;
  /** The first commit after trouble. */
  readonly onRecovered: () => void;
  /** More waits for the disk than may: whoever goes on editing should do so on a device of their own. */
  readonly onFull: () => void;
}

/** Updates are committed in the order in which they were appended: the first `committed` of `appended`, of all rooms, since the start. */
export interface JournalProgress {
  readonly appended: number;
  readonly committed: number;
}

export interface JournalOptions {
  readonly store: Pick<Store, "append">;
  /** From here on `onFull` is called at each edit. */
  readonly maxUnsavedBytes: number;
  readonly events: JournalEvents;
}

export class Journal {
  readonly #store: Pick<Store, "append">;
  readonly #events: JournalEvents;
  readonly #maxUnsavedBytes: number;
  /** The batch that holds each room's newest uncommitted update. */
  readonly #unsaved = new Map<string, Batch>();
  readonly #idle: (() => void)[] = [];
  #gathering = emptyBatch();
  #underWay = emptyBatch();
  #writing = false;
  #lastCommitAt = -COMMIT_INTERVAL_MS;
  #commitNow: () => void = () => {};
  #trouble: unknown = null;
  #unsavedBytes = 0;
  #commits = 0;
  #appended = 0;
  #committed = 0;

  constructor({ store, maxUnsavedBytes, events }: JournalOptions) {
    this.#store = store;
    this.#maxUnsavedBytes = maxUnsavedBytes;
    this.#events = events;
  }

  /** Why the last commit failed; null while commits succeed. */
  get trouble(): unknown {
    return this.#trouble;
  }

  /** Whether commits fail, or one takes as if it would. */
  get isBehind(): boolean {
    const isSlow =
      this.#underWay.entries.length > 0 && performance.now() - this.#lastCommitAt > LONGEST_COMMIT_MS;
    return this.#trouble !== null || isSlow;
  }

  get unsavedBytes(): number {
    return this.#unsavedBytes;
  }

  /** Since the start. */
  get commits(): number {
    return this.#commits;
  }

  get progress(): JournalProgress {
    return { appended: this.#appended, committed: this.#committed };
  }

  get unsavedRooms(): string[] {
    return [...this.#unsaved.keys()];
  }

  append(entry: JournalEntry): void {
    const batch = this.#gathering;
    batch.entries.push(entry);
    this.#appended++;
    batch.rooms.add(entry.room);
    this.#unsaved.set(entry.room, batch);
    this.#unsavedBytes += entry.update.byteLength;
    if (this.#unsavedBytes > this.#maxUnsavedBytes) this.#events.onFull();
    if (batch.entries.length === COMMIT_ROWS) this.#commitNow();
    if (!this.#writing) {
      this.#writing = true;
      void this.#writeAll();
    }
  }

  /** Tells the waiter once everything appended to the room so far is durable: at once if it is. */
  whenSaved(room: string, waiter: SavedWaiter, count = 1): void {
    const waiters = this.#unsaved.get(room)?.waiters;
    if (waiters) waiters.set(waiter, (waiters.get(waiter) ?? 0) + count);
    else waiter.saved(count);
  }

  /** The room's updates that are not durable yet. */
  unsavedUpdates(room: string): readonly Uint8Array[] {
    if (!this.#unsaved.has(room)) return [];
    return [...this.#underWay.entries, ...this.#gathering.entries]
      .filter((entry) => entry.room === room)
      .map((entry) => entry.update);
  }

  /** Resolves when nothing is uncommitted. Waits as long as the trouble lasts: the caller sets the deadline. */
  async settled(): Promise<void> {
    if (this.#writing) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #writeAll(): Promise<void> {
    while (this.#gathering.entries.length > 0) {
      await this.#nextCommit();
      const batch = (this.#underWay = this.#gathering);
      this.#gathering = emptyBatch();
      await this.#commit(batch);
      this.#underWay = emptyBatch();
      this.#committed += batch.entries.length;
      for (const { update } of batch.entries) this.#unsavedBytes -= update.byteLength;
      for (const [waiter, count] of batch.waiters) waiter.saved(count);
      for (const room of batch.rooms) {
        // A newer batch may hold the room's later updates.
        if (this.#unsaved.get(room) !== batch) continue;
        this.#unsaved.delete(room);
        this.#events.onSaved(room);
      }
    }
    this.#writing = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #nextCommit(): Promise<void> {
    const pauseMs = this.#lastCommitAt + COMMIT_INTERVAL_MS - performance.now();
    if (pauseMs > 0 && this.#gathering.entries.length < COMMIT_ROWS) {
      const enough = Promise.withResolvers<void>();
      const timer = setTimeout(enough.resolve, pauseMs);
      this.#commitNow = enough.resolve;
      await enough.promise;
      clearTimeout(timer);
    } else {
      // The end of this turn, so that everything the poll phase read is in the batch.
      await nextTurn();
    }
    this.#lastCommitAt = performance.now();
  }

  async #commit({ entries }: Batch): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#store.append(entries);
        this.#commits++;
        if (this.#trouble !== null) this.#events.onRecovered();
        this.#trouble = null;
        return;
      } catch (error) {
        this.#trouble = error;
        this.#events.onTrouble(error, attempt);
        await delay(Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS));
      }
    }
  }
}

function emptyBatch(): Batch {
  return { entries: [], rooms: new Set(), waiters: new Map() };
}
