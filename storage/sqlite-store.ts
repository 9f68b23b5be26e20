/**
 * Rooms in one SQLite file: the `documents` table of `@hocuspocus/extension-sqlite`, so that a stock Hocuspocus opens our file
 * and we open its, and beside it a journal of the updates since.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { schema as documentsSchema, selectQuery, upsertQuery } from "@hocuspocus/extension-sqlite";
import Database from "better-sqlite3";
import { mergeState } from "./merge-state.ts";
import type { Store, StoredRoom } from "./store.ts";

/**
 * How long a statement waits for another process that holds the write lock. It blocks the worker, so loads wait behind it too:
 * short, because the journal tries again by itself.
 */
const LOCK_WAIT_MS = 1000;

/** `at` in Unix milliseconds, `author` a user id. A row lives until its room is compacted. */
const journalSchema = `
  CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    at INTEGER NOT NULL,
    author TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS journal_by_name ON journal (name);
`;

/**
 * Opens, and if need be creates, the file and its folder.
 * @throws SqliteError or a file system error when it cannot be opened for writing.
 */
export function openSqliteStore(path: string): Store {
  mkdirSync(dirname(path), { recursive: true });
  const db = new Database(path, { timeout: LOCK_WAIT_MS });
  // WAL lets readers go on during a commit; FULL makes each commit an fsync, without which an acknowledged edit dies with the power.
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(documentsSchema);
  db.exec(journalSchema);

  const selectSnapshot = db.prepare<{ name: string }, { data: Uint8Array }>(selectQuery);
  const upsertSnapshot = db.prepare<{ name: string; data: Uint8Array }>(upsertQuery);
  const selectJournal = db.prepare<[string], { seq: number; data: Uint8Array }>(
    "SELECT seq, data FROM journal WHERE name = ? ORDER BY seq",
  );
  const insertJournal = db.prepare<[string, Uint8Array, number, string]>(
    "INSERT INTO journal (name, data, at, author) VALUES (?, ?, ?, ?)",
  );
  const deleteJournal = db.prepare<[string, number]>("DELETE FROM journal WHERE name = ? AND seq <= ?");
  const selectJournaled = db.prepare<[], { name: string }>("SELECT DISTINCT name FROM journal");
  const probe = db.prepare("SELECT 1 FROM documents LIMIT 1");

  /** In one transaction: between two statements another process may compact the room, and its journal would be missing. */
  const readRoom = db.transaction((room: string): StoredRoom & { readonly lastSeq: number } => {
    const rows = selectJournal.all(room);
    const snapshot = selectSnapshot.get({ name: room })?.data ?? null;
    return { snapshot, updates: rows.map((row) => row.data), lastSeq: rows.at(-1)?.seq ?? 0 };
  });

  return {
    load: async (room) => {
      const { snapshot, updates } = readRoom(room);
      return { snapshot, updates };
    },

    append: async (entries) => {
      db.transaction(() => {
        for (const { room, update, at, author } of entries) insertJournal.run(room, update, at, author);
      }).immediate();
    },

    // IMMEDIATE takes the write lock before reading: a second process appending in between would otherwise lose its rows to the
    // delete, which `seq <=` guards against as well.
    compact: async (room) =>
      db
        .transaction(() => {
          const { snapshot, updates, lastSeq } = readRoom(room);
          if (updates.length === 0) return { rows: 0, bytes: snapshot?.byteLength ?? 0 };
          const state = mergeState({ snapshot, updates });
          upsertSnapshot.run({ name: room, data: state });
          deleteJournal.run(room, lastSeq);
          return { rows: updates.length, bytes: state.byteLength };
        })
        .immediate(),

    journaledRooms: async () => selectJournaled.all().map(({ name }) => name),

    check: async () => {
      probe.get();
    },

    close: async () => {
      db.close();
    },
  };
}
