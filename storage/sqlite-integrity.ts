/** Damage that SQLite itself does not notice, as it has no checksums: looked for where it would show a room with holes. */
import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { StorageError } from "./store.ts";

/** Rooms are found by these. A flipped bit in one hides a snapshot, and the room would be shown empty. */
const INDEXES = [
  { table: "documents", index: "sqlite_autoindex_documents_1" },
  { table: "journal", index: "journal_by_name" },
] as const;

/**
 * Every row is found by its name. Costs one look-up a row and reads no content: 100,000 rooms take a fraction of a second, where SQLite's
 * own `integrity_check` reads the whole file.
 * @throws StorageError where one is not; SqliteError where SQLite sees the damage itself.
 */
export function ensureIndexesAgree(db: Database.Database): void {
  for (const { table, index } of INDEXES) {
    const lost = db
      .prepare(
        `SELECT count(*) FROM ${table} AS rows NOT INDEXED WHERE NOT EXISTS (
           SELECT 1 FROM ${table} AS found INDEXED BY ${index}
           WHERE found.name = rows.name AND found.rowid = rows.rowid)`,
      )
      .pluck()
      .get() as number;
    if (lost > 0) {
      throw new StorageError(
        `The database file is damaged: ${lost} rows of ${table} are not in its index. Restore a backup, or REINDEX if you trust the table`,
      );
    }
  }
}

/**
 * Reads the whole file, through a connection of its own, which has nothing of it in memory yet.
 * @throws StorageError with the first thing that is wrong.
 */
export function ensureSound(path: string): void {
  // Never to be opened: SQLite deletes the log of an empty database, which here may be the last copy of what was acknowledged.
  if (statSync(path).size === 0) throw new StorageError("The database file was cut off: it has 0 bytes");
  let fault: unknown;
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true });
    try {
      fault = db.pragma("quick_check(1)", { simple: true });
    } finally {
      db.close();
    }
  } catch (error) {
    fault = error instanceof Error ? error.message : error;
  }
  if (fault !== "ok")
    throw new StorageError(`The database file was cut off and is damaged: ${String(fault)}`);
}
