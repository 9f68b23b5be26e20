/** The tables of a Postgres store, and how a database of any earlier version becomes one of this. */
import type { PostgresPool, Query } from "./postgres-pool.ts";
import { StorageError } from "./store.ts";

/**
 * Step n leads from version n to n + 1. Only ever added to: databases of every version are out there. None of them says IF NOT EXISTS: a
 * table of the same name that belongs to something else is better refused than written into.
 */
const steps: readonly string[] = [
  // `at` in Unix milliseconds, `author` a user id, `sum` the checksum of `data`, 0 to 2^32 - 1. A row lives until its room is compacted.
  // ALWAYS: a number that is used again would let a compaction that began before it delete a row that it never merged.
  `CREATE TABLE documents (
     name text PRIMARY KEY,
     data bytea NOT NULL
   );
   CREATE TABLE journal (
     seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     name text NOT NULL,
     data bytea NOT NULL,
     at bigint NOT NULL,
     author text NOT NULL,
     sum bigint
   );
   CREATE INDEX journal_by_name ON journal (name);
   CREATE TABLE quarantine (
     seq bigint PRIMARY KEY,
     name text NOT NULL,
     data bytea NOT NULL,
     at bigint NOT NULL,
     author text NOT NULL,
     sum bigint,
     reason text NOT NULL,
     set_aside_at bigint NOT NULL
   );`,
  // What is true of the store as a whole: its `identity`. A dump carries it along: see docs/ARCHITECTURE.md for copies of a database.
  `CREATE TABLE collab_meta (key text PRIMARY KEY, value text NOT NULL);`,
];

const POSTGRES_SCHEMA_VERSION = steps.length;

/** Any number that nothing else in the database uses for an advisory lock. */
const MIGRATION_LOCK = 7_268_455_101;

/**
 * Brings the database to this version, in one transaction.
 * @throws StorageError when a newer version of this server has written it: its rows may mean something that this one would lose.
 */
export async function migrate(pool: PostgresPool): Promise<void> {
  // Most starts find it done, and may do without the right to create tables.
  if ((await pool.run(versionOf)) === POSTGRES_SCHEMA_VERSION) return;
  await pool.transaction(async (query) => {
    // Two instances that start together, or the two workers of one, would each create the tables, and one of them would fail.
    await query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const version = await versionOf(query);
    refuseNewer(version);
    await ensureAnyTextFits(query);
    if (version === 0) await query("CREATE TABLE collab_schema (version integer NOT NULL)");
    for (const step of steps.slice(version)) await query(step);
    await query("DELETE FROM collab_schema");
    await query("INSERT INTO collab_schema (version) VALUES ($1)", [POSTGRES_SCHEMA_VERSION]);
  });
}

/** @throws StorageError when it has none of our tables, or a newer version's. */
export async function ensureStore(query: Query): Promise<void> {
  const version = await versionOf(query);
  if (version === 0) throw new StorageError("The database is no store: it has no table collab_schema");
  refuseNewer(version);
}

function refuseNewer(version: number): void {
  if (version <= POSTGRES_SCHEMA_VERSION) return;
  throw new StorageError(
    `The database has schema version ${version}, written by a newer version of this server; this one knows ${POSTGRES_SCHEMA_VERSION}`,
  );
}

async function versionOf(query: Query): Promise<number> {
  // Two queries: one that names a table which is not there fails as a whole. And not `to_regclass`: after the wait for the lock it still
  // answers from the session's cache that there is none (Postgres 18), because only a lock on a table brings that up to date.
  const [found] = await query<{ exists: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_catalog.pg_class WHERE relname = 'collab_schema' AND pg_table_is_visible(oid)
     ) AS exists`,
  );
  if (!found?.exists) return 0;
  const [row] = await query<{ version: number }>("SELECT version FROM collab_schema");
  return row?.version ?? 0;
}

/** In a database of LATIN1, say, a single author with an emoji in the name would make every append fail. */
async function ensureAnyTextFits(query: Query): Promise<void> {
  const [row] = await query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  if (row?.encoding !== "UTF8") {
    throw new StorageError(`The database has the encoding ${row?.encoding}; create it with ENCODING 'UTF8'`);
  }
}
