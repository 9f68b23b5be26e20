/**
 * The store as the main thread sees it: two worker threads on one database. Appends and loads share one; what costs seconds for a large
 * room (merging its journal, finding out what a client lacks) has the other, or everybody's acks would wait for it.
 */
import { encodeBatch } from "./batch-codec.ts";
import { StorageThread } from "./storage-thread.ts";
import type { Compaction, JournalEntry, Store, StoredRoom } from "./store.ts";

/** A reader waits this long: longer than a compaction of the largest room, shorter than a client's patience. */
const READ_TIMEOUT_MS = 10_000;

export class ThreadedStore implements Store {
  readonly #writer: StorageThread;
  readonly #merger: StorageThread;

  constructor({ databaseUrl }: { readonly databaseUrl: string }) {
    const place = { databaseUrl };
    this.#writer = new StorageThread({ place, role: "writer" });
    // A store in memory exists in one thread only.
    this.#merger = databaseUrl === "memory:" ? this.#writer : new StorageThread({ place, role: "merger" });
  }

  load(room: string): Promise<StoredRoom> {
    return this.#writer.request<StoredRoom>({ op: "load", room }, { timeoutMs: READ_TIMEOUT_MS });
  }

  /** What a client with this state vector lacks of the stored room: the same as loading, for all who have nothing. */
  loadSince(room: string, stateVector: Uint8Array): Promise<StoredRoom> {
    return this.#merger.request<StoredRoom>(
      { op: "load", room, since: stateVector },
      { timeoutMs: READ_TIMEOUT_MS },
    );
  }

  /** No timeout: giving up would not take the rows back, and the journal sends one batch at a time anyway. */
  append(entries: readonly JournalEntry[]): Promise<void> {
    return this.#writer.request<void>({ op: "append", batch: encodeBatch(entries) });
  }

  compact(room: string): Promise<Compaction> {
    return this.#merger.request<Compaction>({ op: "compact", room });
  }

  journaledRooms(): Promise<string[]> {
    return this.#writer.request<string[]>({ op: "journaled-rooms" });
  }

  identity(): Promise<string> {
    return this.#writer.request<string>({ op: "identity" }, { timeoutMs: READ_TIMEOUT_MS });
  }

  check(): Promise<void> {
    return this.#writer.request<void>({ op: "check" }, { timeoutMs: READ_TIMEOUT_MS });
  }

  async close(): Promise<void> {
    if (this.#merger !== this.#writer) await this.#merger.close();
    await this.#writer.close();
  }

  /** Ends the worker threads at once, as a crash of them would; others take their place when they are needed. */
  async end(): Promise<void> {
    await Promise.all([this.#merger.end(), this.#writer.end()]);
  }
}
