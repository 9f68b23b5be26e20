/**
 * Rooms in one SQLite file: the `documents` table of `@hocuspocus/extension-sqlite`, so that a stock Hocuspocus opens our file
 * and we open its, and beside it a journal of the updates since.
 */
import { randomUUID } from "node:crypto";
import { selectQuery, upsertQuery } from "@hocuspocus/extension-sqlite";
import { JournalIndex, SUM_OF_OWN_ROW } from "./journal-index.ts";
import { checksum, sortRows, type JournalRow } from "./journal-rows.ts";
import { mergeState } from "./merge-state.ts";
import { openSqliteFile, type SqliteFileOptions } from "./sqlite-file.ts";
import { StorageError, type Store, type UnreadableRow } from "./store.ts";

/** What a compaction writes. */
interface Replacement {
  readonly room: string;
  /** Of the rows that were merged. */
  readonly seqs: readonly number[];
  readonly state: Uint8Array;
  readonly unreadable: readonly UnreadableRow[];
}

/** Who appends and loads, or who only merges beside it. */
export type StoreRole = "writer" | "merger";

export interface SqliteStoreOptions extends SqliteFileOptions {
  readonly role?: StoreRole | undefined;
}

const alreadyCompacted = new Error("Another process has compacted the room");

/** @throws SqliteError, StorageError or a file system error when the file cannot be opened for writing. */
export function openSqliteStore(
  path: string,
  { role = "writer", ...options }: SqliteStoreOptions = {},
): Store {
  const file = openSqliteFile(path, options);
  const { db } = file;
  const selectSnapshot = db.prepare<{ name: string }, { data: Uint8Array }>(selectQuery);
  const selectSum = db.prepare<[string], { sum: number }>("SELECT sum FROM snapshot_sums WHERE name = ?");
  const insertSum = db.prepare<[string, number]>("INSERT INTO snapshot_sums (name, sum) VALUES (?, ?)");
  const upsertSnapshot = db.prepare<{ name: string; data: Uint8Array }>(upsertQuery);
  const journal = new JournalIndex<JournalRow>({ db, columns: `seq, data, ${SUM_OF_OWN_ROW}` });
  const insertJournal = db.prepare<[string, Uint8Array, number, string, number, number]>(
    "INSERT INTO journal (name, data, at, author, sum, name_sum) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const deleteRows = db.prepare<[string, string]>(
    "DELETE FROM journal WHERE seq IN (SELECT value FROM json_each(?)) AND name = ?",
  );
  const copyToQuarantine = db.prepare<[string, number, number]>(
    "INSERT OR IGNORE INTO quarantine SELECT seq, name, data, at, author, sum, ?, ? FROM journal WHERE seq = ?",
  );
  const deleteRow = db.prepare<[number]>("DELETE FROM journal WHERE seq = ?");
  const selectJournaled = db.prepare<[], { name: string }>("SELECT DISTINCT name FROM journal");
  const insertIdentity = db.prepare<[string]>(
    "INSERT OR IGNORE INTO collab_meta (key, value) VALUES ('identity', ?)",
  );
  const selectIdentity = db.prepare<[], { value: string }>(
    "SELECT value FROM collab_meta WHERE key = 'identity'",
  );
  const probe = db.prepare("SELECT 1 FROM documents LIMIT 1");

  const ensureFile = (): void => (role === "writer" ? file.ensureKept() : file.ensureInPlace());

  /** In one transaction: between two statements another process may compact the room, and its journal would be missing. */
  const readRoom = db.transaction((room: string) => {
    const rows = journal.rowsOf(room);
    const snapshot = selectSnapshot.get({ name: room })?.data ?? null;
    const sum = selectSum.get(room)?.sum;
    // The room is refused: without its snapshot it has holes, and with it somebody would read and edit what nobody has written.
    if (snapshot && sum !== undefined && sum !== checksum(snapshot)) {
      throw new StorageError(`The snapshot of ${room} is not what was written: its checksum does not match`);
    }
    return { snapshot, rows };
  });

  const setAside = db.transaction((rows: readonly UnreadableRow[]) => {
    for (const { seq, reason } of rows) {
      copyToQuarantine.run(reason, Date.now(), seq);
      deleteRow.run(seq);
    }
  });

  const replaceRoom = db.transaction(({ room, seqs, state, unreadable }: Replacement) => {
    setAside(unreadable);
    // Rows that are gone were merged by another process, into a snapshot that this one does not know. The throw takes it all back.
    if (deleteRows.run(JSON.stringify(seqs), room).changes !== seqs.length) throw alreadyCompacted;
    upsertSnapshot.run({ name: room, data: state });
    insertSum.run(room, checksum(state));
  });

  return {
    load: async (room) => {
      ensureFile();
      const { snapshot, rows } = readRoom(room);
      const { readable, unreadable } = sortRows(rows);
      if (unreadable.length > 0) {
        try {
          setAside.immediate(unreadable);
        } catch {
          // Locked or full: they are reported all the same, and again at the next load.
        }
      }
      return { snapshot, updates: readable, unreadable };
    },

    append: async (entries) => {
      // Before, so that tries in vain do not pile up in a file that is not ours; and after, because only then is it certain.
      ensureFile();
      db.transaction(() => {
        for (const { room, update, at, author } of entries) {
          insertJournal.run(room, update, at, author, checksum(update), checksum(room));
        }
      }).immediate();
      ensureFile();
    },

    compact: async (room) => {
      // First of all: in a file that the writer has left behind there would be nothing to do for any room, for ever.
      file.ensureInPlace();
      const { snapshot, rows } = readRoom(room);
      const last = rows.at(-1);
      if (!last) return { rows: 0, bytes: snapshot?.byteLength ?? 0, unreadable: [] };
      const { readable, unreadable } = sortRows(rows);
      // Outside the transaction: merging a large room takes seconds, and whoever appends would wait for the lock as long.
      const state = mergeState({ snapshot, updates: readable });
      const aside = new Set(unreadable.map(({ seq }) => seq));
      const seqs = rows.map(({ seq }) => seq).filter((seq) => !aside.has(seq));
      try {
        replaceRoom.immediate({ room, seqs, state, unreadable });
        journal.forget(room, last.seq);
      } catch (error) {
        if (error === alreadyCompacted) return { rows: 0, bytes: state.byteLength, unreadable: [] };
        throw error;
      }
      return { rows: readable.length, bytes: state.byteLength, unreadable };
    },

    journaledRooms: async () => selectJournaled.all().map(({ name }) => name),

    identity: async () => {
      ensureFile();
      let found = selectIdentity.get();
      if (!found) {
        // Another process may come first; whoever does decides for both.
        insertIdentity.run(randomUUID());
        found = selectIdentity.get();
      }
      if (!found) throw new StorageError("The file has no identity");
      return found.value;
    },

    check: async () => {
      probe.get();
      // Here too: where nobody edits, the question for readiness is what brings a deleted file back.
      ensureFile();
      file.ensureWritable();
    },

    close: async () => {
      db.close();
    },
  };
}
