/** A Postgres store looked at without changing it. */
import type { QueryResultRow } from "pg";
import { openMoment, type Moment } from "./postgres-moment.ts";
import { PostgresPool, type PostgresOptions, type Query } from "./postgres-pool.ts";
import { ensureStore } from "./postgres-schema.ts";
import type { QuarantinedRow, StoreSurvey, SurveyedRow } from "./store-survey.ts";

const NAMES_A_PAGE = 500;

/** A command counts and copies whole tables, and nobody waits for its locks: it reads. */
export const UNHURRIED: PostgresOptions = {
  timeouts: { statementMs: 0, answerMs: 0, idleInTransactionMs: 0 },
};

export interface PostgresSurveyOptions {
  /**
   * All of it as it was when it was opened, in one transaction: for a backup. As long as it is open, Postgres keeps every row that is
   * deleted meanwhile; so a mere look does without, and sees each room as it is then.
   */
  readonly asOfOneMoment: boolean;
}

interface Row extends QueryResultRow {
  readonly seq: string | null;
  readonly data: Buffer;
  readonly sum: string | null;
  readonly at: string;
  readonly author: string;
}

interface QuarantineRow extends Row {
  readonly room: string;
  readonly reason: string;
  readonly setAsideAt: string;
}

/** @throws StorageError when it cannot be reached, is no store, or a newer version's. */
export async function openPostgresSurvey(
  databaseUrl: string,
  { asOfOneMoment }: PostgresSurveyOptions,
): Promise<StoreSurvey> {
  const pool = new PostgresPool(databaseUrl, UNHURRIED);
  let moment: Moment | null = null;
  const close = async (): Promise<void> => {
    try {
      await moment?.end();
    } finally {
      await pool.close();
    }
  };
  try {
    if (asOfOneMoment) moment = await openMoment(pool);
    const query: Query = moment?.query ?? ((sql, values) => pool.run((each) => each(sql, values)));
    await ensureStore(query);
    return { ...surveyThrough(query), place: placeOf(databaseUrl), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without user and password. */
export function placeOf(databaseUrl: string): string {
  const url = URL.parse(databaseUrl);
  return `postgres://${url?.host ?? ""}${url?.pathname ?? ""}`;
}

function surveyThrough(query: Query): Omit<StoreSurvey, "place" | "close"> {
  return {
    lastWrittenAt: null,
    // A page that is damaged fails the query that reads it, if the cluster has checksums (the default since Postgres 18).
    integrityProblems: async () => [],

    countRooms: async () => {
      const [row] = await query<{ count: string }>(
        "SELECT count(*) FROM (SELECT name FROM documents UNION SELECT name FROM journal) AS names",
      );
      return Number(row?.count ?? 0);
    },

    async *roomNames() {
      for (let after: string | null = null; ;) {
        const names: { name: string }[] = await query<{ name: string }>(
          `SELECT name FROM documents WHERE $1::text IS NULL OR name > $1
           UNION SELECT name FROM journal WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT ${NAMES_A_PAGE}`,
          [after],
        );
        for (const { name } of names) yield name;
        after = names.at(-1)?.name ?? null;
        if (after === null) return;
      }
    },

    // One statement, which sees one moment.
    room: async (name) => {
      const found = await query<Row>(
        `SELECT NULL::bigint AS seq, data, NULL::bigint AS sum, 0::bigint AS at, '' AS author
         FROM documents WHERE name = $1
         UNION ALL SELECT seq, data, sum, at, author FROM journal WHERE name = $1 ORDER BY seq`,
        [name],
      );
      return {
        name,
        snapshot: found.find(({ seq }) => seq === null)?.data ?? null,
        snapshotSum: null,
        rows: found.filter(({ seq }) => seq !== null).map(numbered),
      };
    },

    async *quarantine() {
      for (let after: number | null = null; ;) {
        const [row]: QuarantineRow[] = await query<QuarantineRow>(
          `SELECT seq, name AS room, data, sum, at, author, reason, set_aside_at AS "setAsideAt" FROM quarantine
           WHERE $1::bigint IS NULL OR seq > $1 ORDER BY seq LIMIT 1`,
          [after],
        );
        if (!row) return;
        const { room, reason, setAsideAt } = row;
        const entry: QuarantinedRow = { ...numbered(row), room, reason, setAsideAt: Number(setAsideAt) };
        yield entry;
        after = entry.seq;
      }
    },
  };
}

/** pg gives bigint as text. */
function numbered({ seq, data, sum, at, author }: Row): SurveyedRow {
  return { seq: Number(seq), data, sum: sum === null ? null : Number(sum), at: Number(at), author };
}
