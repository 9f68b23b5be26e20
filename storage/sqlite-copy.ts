/** A copy of a SQLite store as it is at one moment, while a server may be writing to it. */
import Database from "better-sqlite3";
import { StorageError } from "./store.ts";

const LOCK_WAIT_MS = 5000;
/** 4 MB a step with the usual pages: short enough that a signal is heard between two of them. */
const PAGES_A_STEP = 1000;

export interface CopyOptions {
  readonly from: string;
  /** Must not exist. Holds a whole copy or an unfinished one: publish it only once this has resolved. */
  readonly to: string;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Resolves when the copy is complete, has been checked by SQLite, and stands alone: one file, no -wal beside it.
 * @throws SqliteError, or StorageError when the copy is not sound.
 */
export async function copySqliteFile({ from, to, onProgress }: CopyOptions): Promise<void> {
  const source = new Database(from, { readonly: true, fileMustExist: true, timeout: LOCK_WAIT_MS });
  try {
    // One read transaction around all steps. Without it each commit of the server makes SQLite begin the copy anew, and
    // under steady edits it would never end. The price: the server's -wal grows as long as this takes.
    source.exec("BEGIN");
    source.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get();
    await source.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        onProgress(totalPages - remainingPages, totalPages);
        return PAGES_A_STEP;
      },
    });
  } finally {
    source.close();
  }
  standAlone(to);
}

/**
 * Makes a copy one file without companions.
 * @throws SqliteError, or StorageError when it is not sound.
 */
export function standAlone(path: string): void {
  const copy = new Database(path, { fileMustExist: true });
  try {
    // The copy says of itself that it is in WAL mode, as its source is. The server will turn that on again; until then the
    // file can be read from a read-only disk, and copied as a file.
    copy.pragma("journal_mode = DELETE");
    // A store of its own from here on. Files of earlier versions have none.
    const hasMeta = copy.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'collab_meta'").get();
    if (hasMeta) copy.exec("DELETE FROM collab_meta WHERE key = 'identity'");
    const found = copy.pragma("quick_check", { simple: true });
    if (found !== "ok") throw new StorageError(`The copy is not sound: ${String(found)}`);
  } finally {
    copy.close();
  }
}
