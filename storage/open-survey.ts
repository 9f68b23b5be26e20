/** The survey and the repair of the store at a DATABASE_URL, as `openStore` has its adapter. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { openPostgresRepair } from "./postgres-repair.ts";
import { openPostgresSurvey, type PostgresSurveyOptions } from "./postgres-survey.ts";
import { openSqliteRepair } from "./sqlite-repair.ts";
import { openSqliteSurvey } from "./sqlite-survey.ts";
import type { StoreRepair, StoreSurvey } from "./store-survey.ts";
import { StorageError } from "./store.ts";

/** The path in a SQLite URL; null for any other store. */
export function sqlitePathIn(databaseUrl: string): string | null {
  return databaseUrl.startsWith("sqlite:") ? databaseUrl.slice("sqlite:".length) : null;
}

/** @throws StorageError when the file that a command reads or writes is the store that it works on, also under another name. */
export function ensureNotStore(file: string, databaseUrl: string): void {
  const path = sqlitePathIn(databaseUrl);
  if (path === null) return;
  for (const suffix of ["", "-wal", "-shm", "-journal"]) {
    if (isSameFile(`${path}${suffix}`, file)) throw new StorageError(`${file} is the store itself`);
  }
}

function isSameFile(path: string, other: string): boolean {
  if (resolve(path) === resolve(other)) return true;
  const [one, two] = [path, other].map((each) => statSync(each, { throwIfNoEntry: false }));
  return one !== undefined && two !== undefined && one.dev === two.dev && one.ino === two.ino;
}

export function isPostgres(databaseUrl: string): boolean {
  return /^postgres(?:ql)?:/.test(databaseUrl);
}

/** `asOfOneMoment` is for a backup of Postgres; a SQLite store has `copySqliteFile` for that. */
export async function openSurvey(
  databaseUrl: string,
  { asOfOneMoment = false }: Partial<PostgresSurveyOptions> = {},
): Promise<StoreSurvey> {
  const path = sqlitePathIn(databaseUrl);
  if (path !== null) return openSqliteSurvey(path);
  if (isPostgres(databaseUrl)) return openPostgresSurvey(databaseUrl, { asOfOneMoment });
  throw notForCommands(databaseUrl);
}

export async function openRepair(databaseUrl: string): Promise<StoreRepair> {
  const path = sqlitePathIn(databaseUrl);
  if (path !== null) return openSqliteRepair(path);
  if (isPostgres(databaseUrl)) return openPostgresRepair(databaseUrl);
  throw notForCommands(databaseUrl);
}

function notForCommands(databaseUrl: string): StorageError {
  if (databaseUrl === "memory:")
    return new StorageError("Rooms in memory: are in the server's process alone");
  // Not the URL itself: it may carry a password.
  return new StorageError(`No command for a store at ${databaseUrl.split(":", 1)[0]}:`);
}
