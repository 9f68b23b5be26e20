/**
 * A file that has its name only once it is whole and on the disk. Whatever ends the process before, nothing stands under that name; an
 * ordinary failure or Ctrl-C removes the draft too, kill -9 leaves it beside it.
 */
import { existsSync, linkSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fsync } from "../storage/fsync.ts";
import { StorageError } from "../storage/store.ts";

/** What SQLite puts beside a file; left there, it would be taken for the new file's. */
const COMPANIONS = ["-wal", "-shm", "-journal"];
const NO_HARD_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface DraftOptions {
  readonly path: string;
  /** What already has the name may be replaced. */
  readonly force: boolean;
  /** Fills the draft, a path that does not exist yet. */
  readonly write: (draft: string) => Promise<void>;
  /** The last step before the draft takes the name. */
  readonly beforeRename?: () => void;
}

/** @throws StorageError when the name is taken and must not be replaced. */
export async function writeThroughDraft({ path, force, write, beforeRename }: DraftOptions): Promise<void> {
  if (!force) ensureFree(path);
  const draft = `${path}.partial-${process.pid}`;
  tellLeftovers(path);
  const discard = (): void => {
    for (const suffix of ["", ...COMPANIONS]) rmSync(`${draft}${suffix}`, { force: true });
  };
  discard();
  const undo = onSignal((code) => {
    discard();
    process.exit(code);
  });
  try {
    await write(draft);
    fsync(draft);
    beforeRename?.();
    if (force) renameSync(draft, path);
    else moveToFree(draft, path);
    fsync(dirname(resolve(path)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") ensureFree(path);
    throw error;
  } finally {
    undo();
    discard();
  }
}

/** Not by renaming where that can be helped: it would replace what somebody else has put there meanwhile. */
function moveToFree(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    // exFAT and many network disks, where people keep backups, know no hard links.
    if (!NO_HARD_LINKS.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    ensureFree(path);
    renameSync(draft, path);
  }
}

function ensureFree(path: string): void {
  if (existsSync(path)) throw new StorageError(`${path} exists; --force replaces it`);
}

/** @throws StorageError when SQLite's own files of an earlier database stand beside `path`. */
export function ensureNoCompanions(path: string): void {
  const found = COMPANIONS.map((suffix) => `${path}${suffix}`).find((name) => existsSync(name));
  if (found !== undefined) {
    throw new StorageError(
      `${found} belongs to a database that is or was open under this name: choose another name`,
    );
  }
}

function tellLeftovers(path: string): void {
  const folder = dirname(resolve(path));
  // Not made: where a disk for backups is not mounted, they would fill the one below it.
  if (!existsSync(folder)) throw new StorageError(`There is no folder ${folder}`);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${basename(path)}.partial-`)) continue;
    process.stderr.write(`${join(folder, name)} is what an interrupted run has left; it can be deleted\n`);
  }
}

function onSignal(handle: (code: number) => void): () => void {
  const listeners = Object.entries(SIGNALS).map(([signal, code]) => {
    const listener = (): void => handle(code);
    process.once(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => {
    for (const off of listeners) off();
  };
}
