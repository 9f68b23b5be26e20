/** A SQLite file for one process alone: for who replaces it. */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import Database from "better-sqlite3";
import { StorageError } from "./store.ts";

/** A server keeps its file open, so a lock that is not free now is not free in a minute. */
const LOCK_WAIT_MS = 200;
const SQLITE_HEADER = "SQLite format 3\0";

/** Somebody else has the store open. */
export class StoreInUse extends StorageError {
  override readonly name = "StoreInUse";
}

/** It is there and is no SQLite database that can be opened. */
export class StoreBroken extends StorageError {
  override readonly name = "StoreBroken";
}

export interface Occupation {
  readonly rooms: number;
  release(): void;
}

/**
 * Locks the file until it is released, with everything of its -wal in it and no -wal beside it; null when there is no file.
 * @throws StoreInUse when another process has it open. A stock Hocuspocus without WAL is seen only in the middle of a write.
 * @throws StoreBroken when SQLite cannot tell.
 * @throws a file system error when this user may not read and write it.
 */
export function occupy(path: string): Occupation | null {
  if (!existsSync(path)) return null;
  // Opened for writing, a file that is none loses its -wal, and that may be all that is left of the rooms.
  if (!hasSqliteHeader(path)) throw new StoreBroken(`${path} is no SQLite database`);
  let db: Database.Database | null = null;
  try {
    db = new Database(path, { fileMustExist: true, timeout: LOCK_WAIT_MS });
    // Whoever has a WAL database open holds a lock on it, even when idle. Leaving WAL mode needs to be alone.
    db.pragma("journal_mode = DELETE");
    db.exec("BEGIN EXCLUSIVE");
    const rooms = countRooms(db);
    const locked = db;
    return { rooms, release: () => void locked.close() };
  } catch (error) {
    db?.close();
    const { code = "", message } = error as { code?: string; message: string };
    if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) {
      throw new StoreInUse(`Another process has ${path} open: stop the server first`, { cause: error });
    }
    throw new StoreBroken(`${path} cannot be opened: ${message}`, { cause: error });
  }
}

function hasSqliteHeader(path: string): boolean {
  const header = Buffer.alloc(SQLITE_HEADER.length);
  // For writing: SQLite would open what it may only read, fail to lock it, and a store that a server has open would look like a broken one.
  const descriptor = openSync(path, "r+");
  try {
    readSync(descriptor, header);
  } finally {
    closeSync(descriptor);
  }
  return header.toString("latin1") === SQLITE_HEADER;
}

function countRooms(db: Database.Database): number {
  const tables = db
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE name IN ('documents', 'journal')")
    .pluck()
    .all();
  if (tables.length === 0) return 0;
  const names = tables.map((table) => `SELECT name FROM ${table}`).join(" UNION ");
  return db.prepare<[], number>(`SELECT count(*) FROM (${names})`).pluck().get() ?? 0;
}
