/**
 * Rooms in a Postgres database, which several servers may share: snapshots in `documents`, and the updates since in `journal`.
 *
 * It connects at the first request, and again whenever the connection was lost.
 */
import { randomUUID } from "node:crypto";
import { sortRows } from "./journal-rows.ts";
import { mergeState } from "./merge-state.ts";
import { insertStatements } from "./postgres-insert.ts";
import { PostgresPool, type PostgresOptions, type Query } from "./postgres-pool.ts";
import { alreadyCompacted, readRoom, replaceRoom, setAside } from "./postgres-room.ts";
import { migrate } from "./postgres-schema.ts";
import { StorageError, type Store } from "./store.ts";

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

    identity: async () => {
      const db = await ready();
      // Another instance may come first: the second statement then reads what that one has written.
      await db.run((query) =>
        query("INSERT INTO collab_meta (key, value) VALUES ('identity', $1) ON CONFLICT DO NOTHING", [
          randomUUID(),
        ]),
      );
      const [row] = await db.run((query) =>
        query<{ value: string }>("SELECT value FROM collab_meta WHERE key = 'identity'"),
      );
      if (!row) throw new StorageError("The database has no identity");
      return row.value;
    },

    check: async () => {
      const db = await ready();
      await db.run(ensureWritable);
    },

    close: () => pool.close(),
  };
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
