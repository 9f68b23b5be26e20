/** Damage that SQLite itself does not notice, as it has no checksums: looked for where it would show a room with holes. */
import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { checksum } from "./journal-rows.ts";
import { StorageError } from "./store.ts";

/** `checksum` of a text, for SQL. */
export function defineChecksum(db: Database.Database): void {
  db.function("checksum", { deterministic: true }, (text: unknown) => checksum(String(text)));
}

/**
 * Every snapshot and every journal row is found under the name that it was written with. Reads no content, and 100,000 rows take a
 * fraction of a second, where SQLite's own `integrity_check` reads the whole file.
 * @throws StorageError where one is not; SqliteError where SQLite sees the damage itself.
 */
export function ensureNamesKept(db: Database.Database): void {
  // A flipped bit in it hides a snapshot, and the room would be shown empty.
  ensureIndexAgrees(db, { table: "documents", index: "sqlite_autoindex_documents_1" });
  const strays = count(db, "SELECT count(*) FROM journal WHERE name_sum <> checksum(name)");
  if (strays > 0) {
    throw new StorageError(
      `The database file is damaged: ${strays} rows of journal are not under the room that they were written for. Restore a backup, or set them aside: npm run doctor -- --repair`,
    );
  }
}

/** @throws as `ensureNamesKept`. */
export function ensureIndexAgrees(
  db: Database.Database,
  { table, index }: { readonly table: string; readonly index: string },
): void {
  const lost = count(
    db,
    `SELECT count(*) FROM ${table} AS rows NOT INDEXED WHERE NOT EXISTS (
       SELECT 1 FROM ${table} AS found INDEXED BY ${index}
       WHERE found.name = rows.name AND found.rowid = rows.rowid)`,
  );
  if (lost > 0) {
    throw new StorageError(
      `The database file is damaged: ${lost} rows of ${table} are not in its index. Restore a backup, or REINDEX if you trust the table`,
    );
  }
}

function count(db: Database.Database, query: string): number {
  return db.prepare<[], number>(query).pluck().get() ?? 0;
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
