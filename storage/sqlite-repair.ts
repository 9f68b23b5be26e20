import { openSqliteFile } from "./sqlite-file.ts";
import { SNAPSHOT_REASON, type RoomFaults, type StoreRepair } from "./store-survey.ts";

/**
 * Moves what does not decode into the quarantine table of a SQLite store. Short transactions: a running server's commits get between them.
 * @throws SqliteError, StorageError or a file system error when the file cannot be opened for writing.
 */
export function openSqliteRepair(path: string): StoreRepair {
  const file = openSqliteFile(path, { mustExist: true });
  const { db } = file;
  // By number alone, which no other row ever has: a name that is no text any more equals nothing.
  const keepRow = db.prepare<[string, number, number]>(
    `INSERT OR IGNORE INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
     SELECT seq, name, data, at, author, sum, ?, ? FROM journal WHERE seq = ?`,
  );
  const deleteRow = db.prepare<[number]>("DELETE FROM journal WHERE seq = ?");
  // Numbers below zero, going down: those of journal rows are all above it.
  const keepSnapshot = db.prepare<{ reason: string; now: number; room: string; data: Uint8Array }>(
    `INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at)
     SELECT (SELECT min(0, coalesce(min(seq), 0)) - 1 FROM quarantine), name, data, $now, '', NULL, $reason, $now
     FROM documents WHERE name = $room AND data = $data`,
  );
  const deleteSnapshot = db.prepare<[string, Uint8Array]>(
    "DELETE FROM documents WHERE name = ? AND data = ?",
  );

  // Its triggers follow what is written, not what is deleted.
  const deleteSum = db.prepare<[string]>("DELETE FROM snapshot_sums WHERE name = ?");

  const move = db.transaction(({ room, rows, snapshot }: RoomFaults) => {
    const now = Date.now();
    let moved = 0;
    for (const { seq, reason } of rows) {
      keepRow.run(reason, now, seq);
      moved += deleteRow.run(seq).changes;
    }
    if (snapshot) {
      const { data, reason } = snapshot;
      keepSnapshot.run({ reason: `${SNAPSHOT_REASON}${reason}`, now, room, data });
      const { changes } = deleteSnapshot.run(room, data);
      if (changes > 0) deleteSum.run(room);
      moved += changes;
    }
    return moved;
  });

  return {
    setAside: async (faults) => {
      const moved = move.immediate(faults);
      file.ensureKept();
      return moved;
    },
    close: async () => {
      // Closing does this only for the last connection, and the survey is still open, which cannot: a repaired backup would not stand
      // alone. Passive: nobody's commit waits for it.
      db.pragma("wal_checkpoint(PASSIVE)");
      db.close();
    },
  };
}
