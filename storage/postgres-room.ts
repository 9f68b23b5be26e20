/** The statements for one room of a Postgres store, each safe beside other instances that append to it and compact it. */
import type { JournalRow } from "./journal-rows.ts";
import { storableText } from "./postgres-insert.ts";
import type { Query } from "./postgres-pool.ts";
import { StorageError, type UnreadableRow } from "./store.ts";

export interface StoredRows {
  readonly snapshot: Uint8Array | null;
  readonly rows: readonly JournalRow[];
}

/** What a compaction writes. */
export interface Replacement {
  readonly room: string;
  /** Of all rows that were read, the unreadable ones too. */
  readonly seqs: readonly number[];
  readonly state: Uint8Array;
  readonly unreadable: readonly UnreadableRow[];
}

/** Thrown by `replaceRoom`. */
export const alreadyCompacted = new StorageError("Another instance has compacted the room");

/** In one statement, which sees one moment: between two of them another instance may compact the room, and its journal would be missing. */
export async function readRoom(query: Query, room: string): Promise<StoredRows> {
  const found = await query<{ seq: string | null; data: Buffer; sum: string | null }>(
    `SELECT NULL::bigint AS seq, data, NULL::bigint AS sum FROM documents WHERE name = $1
     UNION ALL SELECT seq, data, sum FROM journal WHERE name = $1
     ORDER BY seq`,
    [room],
  );
  // pg gives bigint as text. A sequence reaches 2^53 after 285 years of a million updates a second.
  const rows = found.flatMap(({ seq, data, sum }) =>
    seq === null ? [] : [{ seq: Number(seq), data, sum: sum === null ? null : Number(sum) }],
  );
  return { snapshot: found.find(({ seq }) => seq === null)?.data ?? null, rows };
}

/** @throws alreadyCompacted when any of the rows is gone: it is in a snapshot that this compaction does not know. */
export async function replaceRoom(
  query: Query,
  { room, seqs, state, unreadable }: Replacement,
): Promise<void> {
  // Locked in one order by everybody, so that two compactions wait for each other, not in a circle. The second one then finds none left.
  const locked = await query("SELECT FROM journal WHERE seq = ANY($1::bigint[]) ORDER BY seq FOR UPDATE", [
    seqs,
  ]);
  if (locked.length !== seqs.length) throw alreadyCompacted;
  if (unreadable.length > 0) await setAside(query, unreadable);
  // By number, not `seq <= last`: a transaction takes its number before it commits, so a lower one may appear after the rows were read.
  await query("DELETE FROM journal WHERE seq = ANY($1::bigint[])", [seqs]);
  await query(
    `INSERT INTO documents (name, data) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET data = excluded.data`,
    [room, state],
  );
}

export async function setAside(query: Query, rows: readonly UnreadableRow[]): Promise<void> {
  await query(
    `WITH faulty AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS faulty (seq, reason)),
       removed AS (DELETE FROM journal USING faulty WHERE journal.seq = faulty.seq RETURNING journal.*, faulty.reason)
     INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
     SELECT seq, name, data, at, author, sum, reason, $3 FROM removed ON CONFLICT (seq) DO NOTHING`,
    // A reason may quote from the row.
    [rows.map(({ seq }) => seq), rows.map(({ reason }) => storableText(reason)), Date.now()],
  );
}
