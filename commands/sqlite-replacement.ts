/** The file of a SQLite store replaced by a backup, so that at no moment there is nothing, or half of something, in its place. */
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  realpathSync,
  renameSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { copySqliteFile } from "../storage/sqlite-copy.ts";
import { occupy, StoreBroken, type Occupation } from "../storage/sqlite-occupation.ts";
import { StorageError } from "../storage/store.ts";
import { writeThroughDraft } from "./draft-file.ts";

export interface SqliteReplacementOptions {
  /** The backup. */
  readonly file: string;
  /** The store; it need not exist. */
  readonly target: string;
  /** A store that has rooms, or is too broken to tell, may be replaced. */
  readonly force: boolean;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Resolves with the name under which the former file is kept; null where none was.
 * @throws StoreInUse while somebody has the store open.
 * @throws StorageError, SqliteError or a file system error in other cases; the store is as it was.
 */
export async function replaceSqliteFile({
  file,
  target,
  force,
  onProgress,
}: SqliteReplacementOptions): Promise<string | null> {
  const isThere = existsSync(target);
  // Through a link to where the file is: a rename would replace the link.
  const place = isThere ? realpathSync(target) : target;
  const former = takePlace(place, force);
  try {
    let keptAs: string | null = null;
    await writeThroughDraft({
      path: place,
      // Where nothing is, nothing can be locked: a server that begins a store there meanwhile keeps it.
      force: isThere,
      write: async (draft) => {
        await copySqliteFile({ from: file, to: draft, onProgress });
        giveTo(draft, place);
      },
      beforeRename: () => {
        if (!isThere && existsSync(place)) throw new StorageError(`${place} has come into being meanwhile`);
        keptAs = keepFormer(place);
      },
    });
    return keptAs;
  } finally {
    former?.release();
  }
}

/** Root restores, and another user's server has to write into it: it belongs to whom the former file, or else the folder, belongs. */
function giveTo(draft: string, place: string): void {
  const former = statSync(place, { throwIfNoEntry: false });
  if (former) chmodSync(draft, former.mode);
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = former ?? statSync(dirname(resolve(place)));
  chownSync(draft, uid, gid);
}

/** Locks what is in the place, so that no server starts with it meanwhile. */
function takePlace(target: string, force: boolean): Occupation | null {
  mkdirSync(dirname(resolve(target)), { recursive: true });
  try {
    const former = occupy(target);
    if (former && former.rooms > 0 && !force) {
      former.release();
      throw new StorageError(`${target} has ${former.rooms} rooms; --force keeps it aside and restores`);
    }
    return former;
  } catch (error) {
    if (error instanceof StoreBroken && force) return null;
    throw error;
  }
}

/** A second name for the file, not a new one: at no moment is there nothing at its own, which a server would begin anew, empty. */
function keepFormer(target: string): string | null {
  const aside = `${target}.before-restore-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  if (existsSync(target)) linkSync(target, aside);
  // Only a file that is broken, or gone, still has any. Beside its namesake SQLite finds them again.
  const companions = ["-wal", "-shm", "-journal"].filter((suffix) => existsSync(`${target}${suffix}`));
  for (const suffix of companions) renameSync(`${target}${suffix}`, `${aside}${suffix}`);
  return existsSync(aside) || companions.length > 0 ? aside : null;
}
