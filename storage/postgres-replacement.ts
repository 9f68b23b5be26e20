/** All rooms of a Postgres store replaced by those of a backup, in one transaction. */
import { storableText } from "./postgres-insert.ts";
import { PostgresPool, type Query } from "./postgres-pool.ts";
import { migrate } from "./postgres-schema.ts";
import { placeOf, UNHURRIED } from "./postgres-survey.ts";
import { StoreInUse } from "./sqlite-occupation.ts";
import type { StoreSurvey } from "./store-survey.ts";
import { StorageError } from "./store.ts";

const TABLES = ["documents", "journal", "quarantine"] as const;

export interface ReplacementOptions {
  readonly databaseUrl: string;
  readonly backup: StoreSurvey;
  /** Rooms that are there may be replaced. They are kept in a schema of their own. */
  readonly force: boolean;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Resolves with the schema that has what was there; null where nothing was.
 * @throws StoreInUse while a server is connected.
 * @throws StorageError when there are rooms and no force.
 */
export async function replacePostgresRooms({
  databaseUrl,
  backup,
  force,
  onProgress,
}: ReplacementOptions): Promise<string | null> {
  const pool = new PostgresPool(databaseUrl, UNHURRIED);
  try {
    await migrate(pool);
    return await pool.transaction(async (query) => {
      // First, so that a server which starts meanwhile waits, and fails its checks rather than loading an empty room.
      await query(`LOCK TABLE ${TABLES.join(", ")} IN ACCESS EXCLUSIVE MODE`);
      await ensureAlone(query);
      const aside = await keepAside(query, { force, place: placeOf(databaseUrl) });
      await fill(query, { backup, onProgress });
      return aside;
    });
  } finally {
    await pool.close();
  }
}

/** A pooler in between, or another database role, hides the server: then only the operator knows. */
async function ensureAlone(query: Query): Promise<void> {
  const others = await query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = current_setting('application_name')
       AND pid <> pg_backend_pid()`,
  );
  if (others.length > 0) throw new StoreInUse("A server is connected to the database: stop the server first");
}

/** A copy in a schema of its own, not a renaming: the tables keep their names, indexes, numbers and rights. */
async function keepAside(
  query: Query,
  { force, place }: { readonly force: boolean; readonly place: string },
): Promise<string | null> {
  const [found] = await query<{ rooms: string; rows: string }>(
    `SELECT (SELECT count(*) FROM (SELECT name FROM documents UNION SELECT name FROM journal) AS names) AS rooms,
       (SELECT count(*) FROM quarantine) AS rows`,
  );
  if (found?.rooms === "0" && found.rows === "0") return null;
  if (!force) {
    throw new StorageError(`${place} has ${found?.rooms} rooms; --force keeps them aside and restores`);
  }
  const schema = `before_restore_${new Date().toISOString().replaceAll(/\D/g, "_").slice(0, -1)}`;
  await query(`CREATE SCHEMA ${schema}`);
  for (const table of TABLES) await query(`CREATE TABLE ${schema}.${table} AS TABLE ${table}`);
  await query(`TRUNCATE ${TABLES.join(", ")}`);
  return schema;
}

async function fill(
  query: Query,
  { backup, onProgress }: Pick<ReplacementOptions, "backup" | "onProgress">,
): Promise<void> {
  const total = await backup.countRooms();
  let done = 0;
  for await (const name of backup.roomNames()) {
    if (name !== storableText(name))
      throw new StorageError(`Postgres cannot hold the name ${JSON.stringify(name)}`);
    const { snapshot, rows } = await backup.room(name);
    if (snapshot) await query("INSERT INTO documents (name, data) VALUES ($1, $2)", [name, snapshot]);
    for (const { seq, data, at, author, sum } of rows) {
      await query(
        `INSERT INTO journal (seq, name, data, at, author, sum) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6)`,
        [seq, name, data, at, storableText(author), sum],
      );
    }
    onProgress(++done, total);
  }
  for await (const { seq, room, data, at, author, sum, reason, setAsideAt } of backup.quarantine()) {
    await query(
      `INSERT INTO quarantine (seq, name, data, at, author, sum, reason, set_aside_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [seq, storableText(room), data, at, storableText(author), sum, storableText(reason), setAsideAt],
    );
  }
  // Above all that are in use, in the quarantine too: it does not keep a number a second time.
  await query(
    `SELECT setval(pg_get_serial_sequence('journal', 'seq'), greatest(
       nextval(pg_get_serial_sequence('journal', 'seq')),
       (SELECT max(seq) FROM journal), (SELECT max(seq) FROM quarantine)))`,
  );
}
