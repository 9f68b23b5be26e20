/** A SQLite store looked at through a connection that cannot write, also one of an earlier version or of a stock Hocuspocus. */
import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { JournalIndex, SUM_OF_OWN_ROW } from "./journal-index.ts";
import { defineChecksum } from "./sqlite-integrity.ts";
import { SQLITE_SCHEMA_VERSION } from "./sqlite-schema.ts";
import type { QuarantinedRow, StoreSurvey, SurveyedRow } from "./store-survey.ts";
import { StorageError } from "./store.ts";

/** A server's commit takes milliseconds, its checkpoint of a large log a second or two. */
const LOCK_WAIT_MS = 5000;
const NAMES_A_PAGE = 500;

interface StoredName {
  readonly name: string;
  readonly bytes: Uint8Array;
}

type NamePage = Database.Statement<{ after: Uint8Array }, StoredName>;

/**
 * No migration and no lock beyond that of a reader: safe beside a running server.
 * @throws StorageError when it is no store, or a newer version's.
 * @throws SqliteError when it is missing or no database.
 */
export function openSqliteSurvey(path: string): StoreSurvey {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new StorageError(`There is no file ${path}`);
  // Not to be opened, not even for reading: SQLite deletes the -wal of an empty database, and it may be all that is left of the rooms.
  if (stats.size === 0) throw new StorageError(`${path} has 0 bytes`);
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: LOCK_WAIT_MS });
  try {
    return surveyOf(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
}

function surveyOf(db: Database.Database, path: string): StoreSurvey {
  defineChecksum(db);
  const version = db.pragma("user_version", { simple: true }) as number;
  if (version > SQLITE_SCHEMA_VERSION) {
    throw new StorageError(
      `${path} has schema version ${version}, written by a newer version of this server; this one knows ${SQLITE_SCHEMA_VERSION}`,
    );
  }
  const documents = columnsOf(db, "documents");
  if (!documents.includes("name") || !documents.includes("data")) {
    throw new StorageError(
      `${path} is a SQLite database, but no store: it has no table "documents" with a name and data`,
    );
  }
  const journal = hasTable(db, "journal")
    ? "journal"
    : "(SELECT 0 AS seq, NULL AS name, NULL AS data, 0 AS at, '' AS author WHERE false)";
  const columns = columnsOf(db, "journal");
  const sumBefore = columns.includes("sum") ? "sum" : "NULL AS sum";
  const sum = columns.includes("name_sum") ? SUM_OF_OWN_ROW : sumBefore;
  const allNames = (where: string): string =>
    `SELECT name FROM documents ${where} UNION SELECT name FROM ${journal} ${where}`;

  // Page by page, not one long cursor: while a reader stands in the file its -wal cannot be cut back. By the bytes of a name: one with a
  // flipped bit reads as another, and the page after that one could be the same again for ever. Every text is below x''.
  const [firstPage, nextPage] = ([">=", ">"] as const).map((comparison) =>
    db.prepare<{ after: Uint8Array }, StoredName>(
      `SELECT name, CAST(name AS BLOB) AS bytes FROM
         (${allNames(`WHERE name ${comparison} CAST($after AS TEXT) AND name < x''`)} ORDER BY 1 LIMIT ${NAMES_A_PAGE})`,
    ),
  ) as [NamePage, NamePage];
  const countNames = db.prepare<[], number>(`SELECT count(*) FROM (${allNames("")})`).pluck();
  // SQLite keeps what it is given, whatever the column says.
  const countOdd = db
    .prepare<[], number>(
      "SELECT count(*) FROM documents WHERE typeof(name) <> 'text' OR typeof(data) <> 'blob'",
    )
    .pluck();
  const selectSnapshot = db
    .prepare<[string], Uint8Array>("SELECT CAST(data AS BLOB) FROM documents WHERE name = ?")
    .pluck();
  const selectSum = hasTable(db, "snapshot_sums")
    ? db.prepare<[string], number>("SELECT sum FROM snapshot_sums WHERE name = ?").pluck()
    : null;
  // Not a scan for each room, of which there may be as many as rows.
  const rows = hasTable(db, "journal")
    ? new JournalIndex<SurveyedRow>({
        db,
        columns: `seq, CAST(coalesce(data, '') AS BLOB) AS data, ${sum}, at, author`,
      })
    : null;
  const readRoom = db.transaction((name: string) => ({
    name,
    snapshot: selectSnapshot.get(name) ?? null,
    snapshotSum: selectSum?.get(name) ?? null,
    rows: rows?.rowsOf(name) ?? [],
  }));

  return {
    place: path,
    lastWrittenAt: Math.max(...["", "-wal"].map((suffix) => modifiedAt(`${path}${suffix}`))),

    integrityProblems: async () => {
      const found = db.pragma("integrity_check") as { integrity_check: string }[];
      const damage = found.map((row) => row.integrity_check).filter((line) => line !== "ok");
      const odd = countOdd.get() ?? 0;
      return odd > 0 ? [...damage, `${odd} rooms have a name that is no text, or no bytes as data`] : damage;
    },

    countRooms: async () => countNames.get() ?? 0,

    async *roomNames() {
      let page = firstPage.all({ after: new Uint8Array() });
      for (let last = page.at(-1); last; last = page.at(-1)) {
        for (const { name } of page) yield name;
        page = nextPage.all({ after: last.bytes });
      }
    },

    room: async (name) => readRoom(name),

    async *quarantine() {
      if (!hasTable(db, "quarantine")) return;
      const next = db.prepare<[number], QuarantinedRow>(
        `SELECT seq, name AS room, CAST(data AS BLOB) AS data, sum, at, author, reason, set_aside_at AS setAsideAt
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
