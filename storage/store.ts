/**
 * What a place for rooms must do: seven methods. Adapters (SQLite, Postgres, memory) run in storage workers; the main thread holds a
 * `ThreadedStore`, which is a `Store` too, so one contract suite tests them all.
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

/** A journal row that is no Yjs update, or not the one that was written. It is moved to the quarantine; the rest of the room is fine. */
export interface UnreadableRow {
  readonly seq: number;
  readonly reason: string;
}

/** A stored room. All empty for a room that was never written. */
export interface StoredRoom {
  /** Merged state up to the last compaction, v1 encoding. Not looked into: who applies it finds out whether it decodes. */
  readonly snapshot: Uint8Array | null;
  /** What came after it, oldest first. */
  readonly updates: readonly Uint8Array[];
  /** Rows set aside while loading: each is told once. */
  readonly unreadable: readonly UnreadableRow[];
}

export interface Compaction {
  /** Journal rows merged into the snapshot; 0 when there was nothing to do, or another instance has just done it. */
  readonly rows: number;
  /** Size of the snapshot now. */
  readonly bytes: number;
  readonly unreadable: readonly UnreadableRow[];
}

export interface Store {
  /**
   * Sets unreadable journal rows aside and reports them; a room loads without them even where they cannot be moved.
   * @throws StorageError when the store cannot be read.
   */
  load(room: string): Promise<StoredRoom>;
  /** All entries or none, and durable when it resolves: a power cut afterwards loses none of them. */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /**
   * Merges a room's journal into its snapshot, from the stored data alone, without holding up appends while it merges. The result
   * goes in with one transaction, and only if nobody else has compacted the room meanwhile.
   */
  compact(room: string): Promise<Compaction>;
  /** Rooms whose journal has something to merge. */
  journaledRooms(): Promise<string[]>;
  /** The same for all who have this store open, and for no other store: how instances find out that they share it. */
  identity(): Promise<string>;
  /** Resolves when the store can be read and is open for writing. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The store did not do what it was asked to. It may later: nothing is said about the data. */
export class StorageError extends Error {
  override readonly name: string = "StorageError";
}

/** What is open is no longer what is at the address. Only opening it again helps. */
export class StoreMoved extends StorageError {
  override readonly name = "StoreMoved";
}
