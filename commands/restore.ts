/** `npm run restore -- FILE`: puts a backup in the place of the store. */
import { ensureNotStore, isPostgres, openSurvey, sqlitePathIn } from "../storage/open-survey.ts";
import { replacePostgresRooms, type ReplacementOptions } from "../storage/postgres-replacement.ts";
import { placeOf } from "../storage/postgres-survey.ts";
import { StorageError } from "../storage/store.ts";
import { EXIT_CODES_HELP, runCommand } from "./command.ts";
import { complaints, diagnose } from "./diagnosis.ts";
import { Progress } from "./progress.ts";
import { replaceSqliteFile } from "./sqlite-replacement.ts";

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
          : await replaceSqliteFile({ file, target, force, onProgress });
      progress.end();
      process.stdout.write(`${target ?? placeOf(databaseUrl)}: ${rooms} rooms from ${file}\n`);
      if (keptAs !== null) process.stdout.write(`What was there is kept as ${keptAs}\n`);
    } finally {
      progress.end();
    }
    return 0;
  },
});

/** Resolves with where the former rooms are. */
async function restoreToPostgres({
  file,
  ...options
}: Omit<ReplacementOptions, "backup"> & { readonly file: string }): Promise<string | null> {
  const backup = await openSurvey(`sqlite:${file}`);
  try {
    const schema = await replacePostgresRooms({ ...options, backup });
    return schema === null ? null : `schema ${schema}`;
  } finally {
    await backup.close();
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
