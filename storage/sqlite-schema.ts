/**
 * The tables of a SQLite store, and how a file of any earlier version becomes one of this. The version is the file's `user_version`,
 * which a stock Hocuspocus neither reads nor writes.
 */
import { schema as documentsSchema } from "@hocuspocus/extension-sqlite";
import type Database from "better-sqlite3";
import { ensureIndexAgrees } from "./sqlite-integrity.ts";
import { StorageError } from "./store.ts";

/**
 * Step n leads from version n to n + 1; each may find a file that a stock server or an earlier version has used.
 * Only ever added to: files of every version are out there.
 */
export const sqliteSchemaSteps: readonly string[] = [
  // `at` in Unix milliseconds, `author` a user id. A row lives until its room is compacted.
  `${documentsSchema};
   CREATE TABLE IF NOT EXISTS journal (
     seq INTEGER PRIMARY KEY,
     name TEXT NOT NULL,
     data BLOB NOT NULL,
     at INTEGER NOT NULL,
     author TEXT NOT NULL
   );`,
  // AUTOINCREMENT: a number that is used again after a compaction would let another process' compaction, which began before it, delete
  // a row that it never merged. `sum` is the checksum of `data`, null in rows from before.
  `ALTER TABLE journal RENAME TO journal_before;
   CREATE TABLE journal (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     name TEXT NOT NULL,
     data BLOB NOT NULL,
     at INTEGER NOT NULL,
     author TEXT NOT NULL,
     sum INTEGER
   );
   INSERT INTO journal (seq, name, data, at, author) SELECT seq, name, data, at, author FROM journal_before ORDER BY seq;
   DROP TABLE journal_before;
   CREATE INDEX journal_by_name ON journal (name);
   CREATE TABLE quarantine (
     seq INTEGER PRIMARY KEY,
     name TEXT NOT NULL,
     data BLOB NOT NULL,
     at INTEGER NOT NULL,
     author TEXT NOT NULL,
     sum INTEGER,
     reason TEXT NOT NULL,
     set_aside_at INTEGER NOT NULL
   );`,
  // Checksums of snapshots, beside them because `documents` is the stock table. The triggers are for the stock server: what it writes has
  // none, and must not be measured by the one before. They run in its process too.
  `CREATE TABLE snapshot_sums (name TEXT PRIMARY KEY, sum INTEGER NOT NULL);
   CREATE TRIGGER snapshot_inserted AFTER INSERT ON documents BEGIN
     DELETE FROM snapshot_sums WHERE name = NEW.name;
   END;
   CREATE TRIGGER snapshot_updated AFTER UPDATE ON documents BEGIN
     DELETE FROM snapshot_sums WHERE name = NEW.name;
   END;`,
  // `JournalIndex` is in its place: keeping it cost half of all CPU of a row. It also showed when a name was not what had been written; now
  // a checksum of the name does, null where an operator has put a row in.
  `ALTER TABLE journal ADD COLUMN name_sum INTEGER;
   UPDATE journal SET name_sum = checksum(name);
   DROP INDEX IF EXISTS journal_by_name;`,
  // What is true of the store as a whole: its `identity`. A backup is made without it (`standAlone`), or two instances, each on a copy of
  // its own, would take each other's for the same.
  `CREATE TABLE collab_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);`,
];

export const SQLITE_SCHEMA_VERSION = sqliteSchemaSteps.length;

/**
 * Brings the file to this version, in one transaction. `checksum` must be known to the connection (`defineChecksum`).
 * @throws StorageError when the index that older versions had shows damage, which nothing would show without it.
 * @throws StorageError when a newer version of this server has written it: its rows may mean something that this one would lose.
 */
export function migrate(db: Database.Database): void {
  if (versionOf(db) === SQLITE_SCHEMA_VERSION) return;
  db.transaction(() => {
    // Again, under the lock: another process may have migrated meanwhile.
    const version = versionOf(db);
    if (version > SQLITE_SCHEMA_VERSION) {
      throw new StorageError(
        `The file has schema version ${version}, written by a newer version of this server; this one knows ${SQLITE_SCHEMA_VERSION}`,
      );
    }
    const hasIndex = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'journal_by_name'").get();
    if (hasIndex) ensureIndexAgrees(db, { table: "journal", index: "journal_by_name" });
    for (const step of sqliteSchemaSteps.slice(version)) db.exec(step);
    db.pragma(`user_version = ${SQLITE_SCHEMA_VERSION}`);
  }).immediate();
}

function versionOf(db: Database.Database): number {
  return db.pragma("user_version", { simple: true }) as number;
}
