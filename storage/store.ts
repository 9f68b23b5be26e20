/**
 * What a place for rooms must do: six methods. Adapters (SQLite, memory) run in the storage worker; the main thread holds a
 * `StorageThread`, which is a `Store` too, so one contract suite tests them all.
 *
 * A room's state is the merge of its snapshot and its journal. Yjs updates merge in any order and any number of times, so a
 * crash between two steps of an adapter leaves at worst work to repeat.
 */

/** One applied update, as it came from a client. */
export interface JournalEntry {
  readonly room: string;
  /** Yjs update, v1 encoding. */
  readonly update: Uint8Array;
  /** When it was applied, Unix milliseconds. */
  readonly at: number;
  /** User id of its author; empty when the server itself made it. */
  readonly author: string;
}

/** A stored room. Both empty for a room that was never written. */
export interface StoredRoom {
  /** Merged state up to the last compaction, v1 encoding. */
  readonly snapshot: Uint8Array | null;
  /** What came after it, oldest first. */
  readonly updates: readonly Uint8Array[];
}

export interface Compaction {
  /** Journal rows merged into the snapshot; 0 when there was nothing to do. */
  readonly rows: number;
  /** Size of the snapshot now. */
  readonly bytes: number;
}

export interface Store {
  load(room: string): Promise<StoredRoom>;
  /** All entries or none, and durable when it resolves: a power cut afterwards loses none of them. */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** Merges a room's journal into its snapshot, in one transaction, from the stored data alone. */
  compact(room: string): Promise<Compaction>;
  /** Rooms whose journal has something to merge. */
  journaledRooms(): Promise<string[]>;
  /** Resolves when the store can be read and is open for writing. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The store did not do what it was asked to. It may later: nothing is said about the data. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}
