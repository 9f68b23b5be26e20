/** `npm run restore -- FILE`: puts a backup in the place of the store. */
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
import { ensureNotStore, isPostgres, openSurvey, sqlitePathIn } from "../storage/open-survey.ts";
import { replacePostgresRooms } from "../storage/postgres-replacement.ts";
import { placeOf } from "../storage/postgres-survey.ts";
import { copySqliteFile } from "../storage/sqlite-copy.ts";
import { occupy, StoreBroken, type Occupation } from "../storage/sqlite-occupation.ts";
import { StorageError } from "../storage/store.ts";
import { EXIT_CODES_HELP, runCommand } from "./command.ts";
import { complaints, diagnose } from "./diagnosis.ts";
import { writeThroughDraft } from "./draft-file.ts";
import { Progress } from "./progress.ts";

const COMPLAINTS_SHOWN = 10;

const help = `
Puts the backup FILE in the place of the store, once it has shown that every room in it can be read. The server must be
stopped. What was in the place is kept beside it under a dated name: a file, or a schema in Postgres.

  npm run restore -- FILE [--force] [--database URL]

  --force         even where the store has rooms, or is too broken to tell. A store that somebody has open, and a backup
                  that cannot be read, are refused all the same
  --database URL  the store to replace, instead of DATABASE_URL

An idle server disconnects from Postgres, and is then not seen: make sure that all are stopped. One that went on would add
what it has in memory to the restored rooms.

Exit codes:
   0  the store is the backup
   1  refused or failed; the store is as it was
${EXIT_CODES_HELP}
`;

await runCommand({
  help,
  argument: "FILE",
  options: { force: { type: "boolean", default: false } },
  run: async ({ values: { force }, argument: file, databaseUrl }) => {
    const target = sqlitePathIn(databaseUrl);
    ensureNotStore(file, databaseUrl);
    if (target === null && !isPostgres(databaseUrl)) {
      throw new StorageError("Nothing can be restored into memory:");
    }
    const { rooms } = await checkedBackup(file);
    const progress = new Progress({ label: "Restoring", unit: target === null ? "rooms" : "pages" });
    const onProgress = (done: number, total: number): void => progress.update(done, total);
    try {
      const keptAs =
        target === null
          ? await restoreToPostgres({ file, databaseUrl, force, onProgress })
          : await restoreToSqlite({ file, target, force, onProgress });
      progress.end();
      process.stdout.write(`${target ?? placeOf(databaseUrl)}: ${rooms} rooms from ${file}\n`);
      if (keptAs !== null) process.stdout.write(`What was there is kept as ${keptAs}\n`);
    } finally {
      progress.end();
    }
    return 0;
  },
});

interface Restoration {
  readonly file: string;
  readonly force: boolean;
  readonly onProgress: (done: number, total: number) => void;
}

/** Resolves with where the former rooms are. */
async function restoreToPostgres({
  file,
  ...options
}: Restoration & { readonly databaseUrl: string }): Promise<string | null> {
  const backup = await openSurvey(`sqlite:${file}`);
  try {
    const schema = await replacePostgresRooms({ ...options, backup });
    return schema === null ? null : `schema ${schema}`;
  } finally {
    await backup.close();
  }
}

/** Resolves with where the former file is. */
async function restoreToSqlite({
  file,
  target,
  force,
  onProgress,
}: Restoration & { readonly target: string }): Promise<string | null> {
  // Through a link to where the file is: a rename would replace the link.
  const place = existsSync(target) ? realpathSync(target) : target;
  const former = takePlace(place, force);
  try {
    let keptAs: string | null = null;
    await writeThroughDraft({
      path: place,
      force: true,
      write: async (draft) => {
        await copySqliteFile({ from: file, to: draft, onProgress });
        giveTo(draft, place);
      },
      beforeRename: () => (keptAs = keepFormer(place)),
    });
    return keptAs;
  } finally {
    former?.release();
  }
}

/** @throws StorageError when any of it cannot be read: no force puts that in the place of a store. */
async function checkedBackup(file: string): Promise<{ readonly rooms: number }> {
  const survey = await openSurvey(`sqlite:${file}`);
  const progress = new Progress({ label: "Checking the backup", unit: "rooms" });
  try {
    const diagnosis = await diagnose({ survey, onProgress: (done, total) => progress.update(done, total) });
    const found = complaints(diagnosis);
    if (found.length > 0) {
      const shown = found.slice(0, COMPLAINTS_SHOWN).map((line) => `\n  ${line}`);
      throw new StorageError(
        `${file} has ${found.length} problems, the store is as it was (doctor --repair --database sqlite:${file} may help):${shown.join("")}`,
      );
    }
    return diagnosis;
  } finally {
    progress.end();
    await survey.close();
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
