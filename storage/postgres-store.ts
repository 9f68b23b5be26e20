/**
 * Rooms in a Postgres database, which several servers may share: snapshots in `documents`, and the updates since in `journal`.
 *
 * It connects at the first request, and again whenever the connection was lost.
 */
import { sortRows, type JournalRow } from "./journal-rows.ts";
import { mergeState } from "./merge-state.ts";
import { insertStatements, storableText } from "./postgres-insert.ts";
import { PostgresPool, type PostgresOptions, type Query } from "./postgres-pool.ts";
import { migrate } from "./postgres-schema.ts";
import { StorageError, type Store, type UnreadableRow } from "./store.ts";

interface StoredRows {
  readonly snapshot: Uint8Array | null;
  readonly rows: readonly JournalRow[];
}

/** What a compaction writes. */
interface Replacement {
  readonly room: string;
  /** Of all rows that were read, the unreadable ones too. */
  readonly seqs: readonly number[];
  readonly state: Uint8Array;
  readonly unreadable: readonly UnreadableRow[];
}

const alreadyCompacted = new StorageError("Another instance has compacted the room");

/** Never throws: a database that cannot be reached rejects each request until it can be. */
export function openPostgresStore(databaseUrl: string, options: PostgresOptions = {}): Store {
  const pool = new PostgresPool(databaseUrl, options);
  let migrated: Promise<void> | null = null;

  /** The database with its tables. A migration that failed is tried again at the next request. */
  const ready = async (): Promise<PostgresPool> => {
    migrated ??= migrate(pool).catch((error: unknown) => {
      migrated = null;
      throw error;
    });
    await migrated;
    return pool;
  };

  return {
    load: async (room) => {
      const db = await ready();
      const { snapshot, rows } = await db.run((query) => readRoom(query, room));
      const { readable, unreadable } = sortRows(rows);
      if (unreadable.length > 0) {
        try {
          await db.run((query) => setAside(query, unreadable));
        } catch {
          // Locked or read-only: they are reported all the same, and again at the next load.
        }
      }
      return { snapshot, updates: readable, unreadable };
    },

    /**
     * Where the answer to the commit is lost it rejects although the rows are there. The journal then appends the same updates again,
     * which does no harm: a Yjs update that is applied twice is applied once.
     */
    append: async (entries) => {
      const db = await ready();
      const statements = insertStatements(entries);
      const insertAll = async (query: Query): Promise<void> => {
        for (const { sql, values } of statements) await query(sql, values);
      };
      // A single statement is a transaction by itself, with one round trip instead of three.
      await (statements.length > 1 ? db.transaction(insertAll) : db.run(insertAll));
    },

    compact: async (room) => {
      const db = await ready();
      const { snapshot, rows } = await db.run((query) => readRoom(query, room));
      if (rows.length === 0) return { rows: 0, bytes: snapshot?.byteLength ?? 0, unreadable: [] };
      const { readable, unreadable } = sortRows(rows);
      // Outside a transaction: merging a large room takes seconds, for which nobody should hold locks, or keep old rows from being vacuumed.
      const state = mergeState({ snapshot, updates: readable });
      const seqs = rows.map(({ seq }) => seq);
      try {
        await db.transaction((query) => replaceRoom(query, { room, seqs, state, unreadable }));
      } catch (error) {
        if (error === alreadyCompacted) return { rows: 0, bytes: state.byteLength, unreadable: [] };
        throw error;
      }
      return { rows: readable.length, bytes: state.byteLength, unreadable };
    },

    journaledRooms: async () => {
      const db = await ready();
      const rows = await db.run((query) => query<{ name: string }>("SELECT DISTINCT name FROM journal"));
      return rows.map(({ name }) => name);
    },

    check: async () => {
      const db = await ready();
      await db.run(ensureWritable);
    },

    close: () => pool.close(),
  };
}

/** In one statement, which sees one moment: between two of them another instance may compact the room, and its journal would be missing. */
async function readRoom(query: Query, room: string): Promise<StoredRows> {
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
async function replaceRoom(query: Query, { room, seqs, state, unreadable }: Replacement): Promise<void> {
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

async function setAside(query: Query, rows: readonly UnreadableRow[]): Promise<void> {
  await query(
    `WITH faulty AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS faulty (seq, reason)),
       removed AS (DELETE FROM journal USING faulty WHERE journal.seq = faulty.seq RETURNING journal.*, faulty.reason)
     INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
     SELECT seq, name, data, at, author, sum, reason, $3 FROM removed ON CONFLICT (seq) DO NOTHING`,
    // A reason may quote from the row.
    [rows.map(({ seq }) => seq), rows.map(({ reason }) => storableText(reason)), Date.now()],
  );
}

async function ensureWritable(query: Query): Promise<void> {
  // Read-only: a standby, or `default_transaction_read_only`, as some hosts set it when the disk is full.
  const [row] = await query<{ readOnly: boolean; mayInsert: boolean }>(
    `SELECT current_setting('transaction_read_only')::boolean AS "readOnly",
       has_table_privilege('journal', 'INSERT') AS "mayInsert", EXISTS (SELECT FROM documents)`,
  );
  if (row?.readOnly) throw new StorageError("The database is read-only, or a standby");
  if (!row?.mayInsert)
    throw new StorageError("The user in DATABASE_URL may not write into the table journal");
}
