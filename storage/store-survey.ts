/**
 * A stored room as an operator's command looks at it: everything that is there, readable or not, and nothing is moved or merged on the
 * way. Beside `Store`, because a server must never need it, and a command must never change what it only looks at.
 *
 * Rooms come one by one, so memory holds one room, however many there are.
 */
import type { JournalRow } from "./journal-rows.ts";
import type { UnreadableRow } from "./store.ts";

export interface SurveyedRow extends JournalRow {
  /** Unix milliseconds. */
  readonly at: number;
  readonly author: string;
}

export interface SurveyedRoom {
  readonly name: string;
  readonly snapshot: Uint8Array | null;
  /** Its checksum when it was written; null where there is none, as in what a stock server has written. */
  readonly snapshotSum: number | null;
  /** Oldest first. */
  readonly rows: readonly SurveyedRow[];
}

export interface QuarantinedRow extends SurveyedRow {
  /** Below zero for a snapshot, which has no number of its own. */
  readonly seq: number;
  readonly room: string;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly setAsideAt: number;
}

export interface StoreSurvey {
  /** For people: the file or the server, without a password. */
  readonly place: string;
  /** What the place itself says of the last write, Unix milliseconds; null where it does not know. */
  readonly lastWrittenAt: number | null;
  /** What the database finds wrong with itself; empty when it is sound. */
  integrityProblems(): Promise<string[]>;
  countRooms(): Promise<number>;
  /** Ordered, each once. A room that comes or goes meanwhile may be missing. */
  roomNames(): AsyncIterable<string>;
  /**
   * Snapshot and journal of one moment; both empty for a room that is not there.
   * @throws when the database cannot read its own pages.
   */
  room(name: string): Promise<SurveyedRoom>;
  quarantine(): AsyncIterable<QuarantinedRow>;
  close(): Promise<void>;
}

/** What of a room is to be moved to the quarantine. */
export interface RoomFaults {
  readonly room: string;
  readonly rows: readonly UnreadableRow[];
  /** The snapshot as it was judged: one that a compaction has replaced meanwhile is left alone. */
  readonly snapshot: { readonly data: Uint8Array; readonly reason: string } | null;
}

export interface StoreRepair {
  /** All of it or nothing, durable when it resolves. Resolves with how many rows and snapshots it moved. */
  setAside(faults: RoomFaults): Promise<number>;
  close(): Promise<void>;
}

/** How the reason of a quarantined snapshot begins. */
export const SNAPSHOT_REASON = "snapshot: ";
