/** A SQLite store looked at through a connection that cannot write, also one of an earlier version or of a stock Hocuspocus. */
import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { SQLITE_SCHEMA_VERSION } from "./sqlite-schema.ts";
import type { QuarantinedRow, StoreSurvey, SurveyedRow } from "./store-survey.ts";
import { StorageError } from "./store.ts";

/** A server's commit takes milliseconds, its checkpoint of a large log a second or two. */
const LOCK_WAIT_MS = 5000;
const NAMES_A_PAGE = 500;

/**
 * No migration and no lock beyond that of a reader: safe beside a running server.
 * @throws StorageError when it is no store, or a newer version's.
 * @throws SqliteError when it is missing or no database.
 */
export function openSqliteSurvey(path: string): StoreSurvey {
  if (!statSync(path, { throwIfNoEntry: false })) throw new StorageError(`There is no file ${path}`);
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: LOCK_WAIT_MS });
  try {
    return surveyOf(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
}

function surveyOf(db: Database.Database, path: string): StoreSurvey {
  const version = db.pragma("user_version", { simple: true }) as number;
  if (version > SQLITE_SCHEMA_VERSION) {
    throw new StorageError(
      `${path} has schema version ${version}, written by a newer version of this server; this one knows ${SQLITE_SCHEMA_VERSION}`,
    );
  }
  if (!hasTable(db, "documents")) {
    throw new StorageError(`${path} is a SQLite database, but no store: it has no table "documents"`);
  }
  const journal = hasTable(db, "journal")
    ? "journal"
    : "(SELECT 0 AS seq, NULL AS name, NULL AS data, 0 AS at, '' AS author WHERE false)";
  const sum = columnsOf(db, "journal").includes("sum") ? "sum" : "NULL AS sum";
  const allNames = (where: string): string =>
    `SELECT name FROM documents ${where} UNION SELECT name FROM ${journal} ${where}`;

  // Page by page, not one long cursor: while a reader stands in the file its -wal cannot be cut back.
  const [firstPage, nextPage] = [">=", ">"].map((comparison) =>
    db
      .prepare<{ after: string }, string>(
        `${allNames(`WHERE name ${comparison} $after`)} ORDER BY 1 LIMIT ${NAMES_A_PAGE}`,
      )
      .pluck(),
  ) as [Database.Statement<{ after: string }, string>, Database.Statement<{ after: string }, string>];
  const countNames = db.prepare<[], number>(`SELECT count(*) FROM (${allNames("")})`).pluck();
  const selectSnapshot = db
    .prepare<[string], Uint8Array>("SELECT data FROM documents WHERE name = ?")
    .pluck();
  const selectSum = hasTable(db, "snapshot_sums")
    ? db.prepare<[string], number>("SELECT sum FROM snapshot_sums WHERE name = ?").pluck()
    : null;
  const selectRows = db.prepare<[string], SurveyedRow>(
    `SELECT seq, data, ${sum}, at, author FROM ${journal} WHERE name = ? ORDER BY seq`,
  );
  const readRoom = db.transaction((name: string) => ({
    name,
    snapshot: selectSnapshot.get(name) ?? null,
    snapshotSum: selectSum?.get(name) ?? null,
    rows: selectRows.all(name),
  }));

  return {
    place: path,
    lastWrittenAt: Math.max(...["", "-wal"].map((suffix) => modifiedAt(`${path}${suffix}`))),

    integrityProblems: async () => {
      const found = db.pragma("integrity_check") as { integrity_check: string }[];
      return found.map((row) => row.integrity_check).filter((line) => line !== "ok");
    },

    countRooms: async () => countNames.get() ?? 0,

    async *roomNames() {
      let names = firstPage.all({ after: "" });
      while (names.length > 0) {
        yield* names;
        names = nextPage.all({ after: names.at(-1) ?? "" });
      }
    },

    room: async (name) => readRoom(name),

    async *quarantine() {
      if (!hasTable(db, "quarantine")) return;
      const next = db.prepare<[number], QuarantinedRow>(
        `SELECT seq, name AS room, data, sum, at, author, reason, set_aside_at AS setAsideAt
         FROM quarantine WHERE seq > ? ORDER BY seq LIMIT 1`,
      );
      let row = next.get(Number.MIN_SAFE_INTEGER);
      while (row) {
        yield row;
        row = next.get(row.seq);
      }
    },

    close: async () => {
      db.close();
    },
  };
}

function columnsOf(db: Database.Database, table: string): string[] {
  return (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
}

function hasTable(db: Database.Database, table: string): boolean {
  return columnsOf(db, table).length > 0;
}

function modifiedAt(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  // An empty -wal is what a reader's opening makes, this one's too.
  return stats && stats.size > 0 ? Math.round(stats.mtimeMs) : 0;
}
