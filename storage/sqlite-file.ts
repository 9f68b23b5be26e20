/**
 * One open SQLite file, and the certainty that it still is the file at its path. A process goes on writing happily into a file that
 * somebody has deleted, and everything that it acknowledged then is gone with its end.
 */
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  rmSync,
  statSync,
  type Stats,
} from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { fsync } from "./fsync.ts";
import { defineChecksum, ensureNamesKept, ensureSound } from "./sqlite-integrity.ts";
import { migrate } from "./sqlite-schema.ts";
import { StorageError, StoreMoved } from "./store.ts";

/**
 * How long a statement waits for another process that holds the write lock. It blocks the worker, so loads wait behind it too:
 * short, because the journal tries again by itself.
 */
const LOCK_WAIT_MS = 1000;

/** The write-ahead log is cut back to this after a checkpoint: one compaction of a large room would leave it as large as that for good. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024;

const REPLACED = "The database file was replaced while the server ran: restart it to use the new one";

export interface SqliteFile {
  readonly db: Database.Database;
  /**
   * For who only reads and merges.
   * @throws StorageError when the file is gone. It stays open: what is open here may be the last copy, until the writer has written it
   * anew.
   * @throws StoreMoved when another file has taken its place.
   */
  ensureInPlace(): void;
  /**
   * For the writer, after a commit and before anybody is told of it. A file that is gone is written anew from what is still open here:
   * by the writer alone, because any other may have open what was gone before.
   * @throws StoreMoved in that case.
   * @throws StorageError when another file has taken the place, for as long as it is there: which of the two is right only the
   * operator knows.
   */
  ensureKept(): void;
  /**
   * SQLite opens what it may not write just for reading, without a word. Unlike a write this waits for nobody's lock.
   * @throws a file system error, to root as well.
   */
  ensureWritable(): void;
}

export interface SqliteFileOptions {
  /** The file was there before: an empty one in its place would look as if nothing had ever been saved. */
  readonly mustExist?: boolean | undefined;
  /** Of the file that this process has had open: no other one is taken, or only this thread would go on with it. */
  readonly inode?: number | undefined;
  /** Told which file it is once it is open, and again when it has been written anew. */
  readonly onFile?: ((inode: number) => void) | undefined;
  /** Told of each statement before it runs: for tests that stop in the middle. */
  readonly onStatement?: ((sql: string) => void) | undefined;
}

/** Two instances that start together on no file yet: the one that makes it needs so long until there is something in it. */
const MAKING_MS = 500;
const LOOK_AGAIN_MS = 20;

/**
 * Opens, and unless it must exist creates, the file and its folder, and brings it to the current schema.
 * @throws SqliteError, StorageError or a file system error when it cannot be opened, or is seen to be damaged.
 */
export function openSqliteFile(
  path: string,
  { mustExist = false, inode: expected, onFile = () => {}, onStatement }: SqliteFileOptions = {},
): SqliteFile {
  if (!mustExist) mkdirSync(dirname(path), { recursive: true });
  const bytes = sizeOf(path);
  const log = `${path}-wal`;
  if (bytes === 0) {
    // SQLite takes it for a new database, and every room in it would be shown empty.
    throw new StorageError(
      `${path} has 0 bytes: put the database back, or delete it and ${log} to begin anew`,
    );
  }
  // Opening it deletes the log, which may hold the newest edits of a file that is only not back yet.
  if (bytes === undefined && !mustExist && (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0)
    throw new StorageError(`${path} is not there, but ${log} is: put the database back, or delete the log`);
  const db = new Database(path, {
    fileMustExist: mustExist,
    timeout: LOCK_WAIT_MS,
    ...(onStatement && { verbose: (sql: unknown) => onStatement(String(sql)) }),
  });
  const { ino: inode } = statSync(path);
  try {
    // Before the first pragma: SQLite has not read the file yet, nor written to it, nor dealt with a log beside it.
    if (expected !== undefined && inode !== expected) throw new StorageError(REPLACED);
    // WAL lets readers go on during a commit; FULL makes each commit an fsync, without which an acknowledged edit dies with the power.
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
    defineChecksum(db);
    migrate(db);
    // Not at every replacement of a worker: it reads every row's name, and the file was fine when it was first opened.
    if (!mustExist) ensureNamesKept(db);
  } catch (error) {
    db.close();
    throw error;
  }
  onFile(inode);
  let knownBytes = statSync(path).size;
  const fileNow = (): Stats | undefined => statSync(path, { throwIfNoEntry: false });

  return {
    db,
    ensureInPlace() {
      const now = fileNow();
      if (now === undefined) throw new StorageError("The database file is gone");
      if (now.ino !== inode) throw new StoreMoved("The database file is not the one that was opened");
    },
    ensureKept() {
      const now = fileNow();
      if (now?.ino === inode) {
        // It shrinks only when somebody vacuums it, or cuts it off; SQLite itself would go on and acknowledge into a file with holes.
        if (now.size < knownBytes) ensureSound(path);
        knownBytes = now.size;
        return;
      }
      if (now !== undefined) throw new StorageError(REPLACED);
      onFile(writeAnew(db, path));
      throw new StoreMoved("The database file was gone, and has been written anew");
    },
    ensureWritable: () => accessSync(path, constants.W_OK),
  };
}

/** Whole and on the disk before it has its name, so that a crash in between leaves no half of it. Returns its inode. */
function writeAnew(db: Database.Database, path: string): number {
  const draft = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(draft, { force: true });
  db.prepare("VACUUM INTO ?").run(draft);
  fsync(draft);
  // Under the lock of the file that is gone, which all who have it open still share: of two processes that come to the rescue the second
  // one would take away the log of the first one's file, with what was acknowledged since.
  db.transaction(() => {
    if (existsSync(path)) throw new StorageError("The database file was gone, and is there again");
    // Left behind, they would be taken for the new file's: pages of the old layout in the middle of it.
    for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
    linkSync(draft, path);
  }).immediate();
  const { ino: inode } = statSync(draft);
  rmSync(draft);
  fsync(dirname(path));
  return inode;
}

/** Undefined where there is no file, 0 where one stays empty. */
function sizeOf(path: string): number | undefined {
  const size = (): number | undefined => statSync(path, { throwIfNoEntry: false })?.size;
  // Without giving way: it is a thread of its own, and nothing can be done before.
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; size() === 0 && waitedMs < MAKING_MS; waitedMs += LOOK_AGAIN_MS)
    Atomics.wait(clock, 0, 0, LOOK_AGAIN_MS);
  return size();
}
