/**
 * Connections to one Postgres database: nothing asked of them hangs for longer than the timeouts say, a lost connection is replaced at
 * the next request, and every failure is a `StorageError` that does not carry the password.
 */
import { Socket } from "node:net";
import { Pool, type ClientBase, type QueryResultRow } from "pg";
import { storageErrorsFor } from "./postgres-error.ts";
import type { StorageError } from "./store.ts";

/** Two workers a server, each with a pool: 8 connections. Appends come one at a time, so most of this is for rooms that load. */
const CONNECTIONS = 4;
const IDLE_MS = 60_000;
const KEEP_ALIVE_AFTER_MS = 10_000;

export interface PostgresTimeouts {
  /** For a connection: a new one, or one from the pool. */
  readonly connectMs: number;
  /** Postgres itself stops a statement after this long, and the connection stays usable. */
  readonly statementMs: number;
  /** For an answer, from a server that may be frozen or cut off. Longer than `statementMs`, so that Postgres can answer first. */
  readonly answerMs: number;
  /** For a lock that somebody else holds. */
  readonly lockMs: number;
  /** A transaction of which we say no more, because this process is frozen or cut off, holds its locks this long. */
  readonly idleInTransactionMs: number;
}

const TIMEOUTS: PostgresTimeouts = {
  connectMs: 5000,
  statementMs: 15_000,
  answerMs: 17_000,
  lockMs: 5000,
  idleInTransactionMs: 10_000,
};

export interface PostgresOptions {
  readonly timeouts?: Partial<PostgresTimeouts>;
  /** Told of each statement, and waited for, before it is sent: for tests that stop in the middle. */
  readonly onStatement?: ((sql: string) => void | Promise<void>) | undefined;
}

export type Query = <Row extends QueryResultRow>(sql: string, values?: unknown[]) => Promise<Row[]>;

export class PostgresPool {
  readonly #pool: Pool;
  readonly #sockets = new Set<Socket>();
  readonly #asStorageError: (error: unknown) => StorageError;
  readonly #onStatement: PostgresOptions["onStatement"];
  #closed: Promise<void> | null = null;

  constructor(databaseUrl: string, { timeouts, onStatement }: PostgresOptions = {}) {
    const limits = { ...TIMEOUTS, ...timeouts };
    this.#onStatement = onStatement;
    this.#asStorageError = storageErrorsFor(databaseUrl);
    this.#pool = new Pool({
      connectionString: databaseUrl,
      application_name: "righttask-collab",
      max: CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      connectionTimeoutMillis: limits.connectMs,
      query_timeout: limits.answerMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
      stream: () => this.#socket(),
      verify: (client, done) => void configureSession(client, limits, done),
    });
    // An idle connection that ends, as all do when Postgres restarts, is an event that nobody else hears: unheard it ends the worker.
    this.#pool.on("error", () => {});
    // While it is in use the pool does not listen. The query under way is rejected with the same error, or the next one is.
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  /**
   * Runs `work` on one connection. One on which anything failed is not used again: it may be half in a transaction, wait for an answer to
   * an earlier query, or lead to a server that has become a read-only standby.
   * @throws StorageError
   */
  async run<T>(work: (query: Query) => Promise<T>): Promise<T> {
    try {
      const client = await this.#pool.connect();
      const query: Query = async <Row extends QueryResultRow>(sql: string, values?: unknown[]) => {
        await this.#onStatement?.(sql);
        return (await client.query<Row>(sql, values)).rows;
      };
      try {
        const result = await work(query);
        client.release();
        return result;
      } catch (error) {
        client.release(true);
        throw error;
      }
    } catch (error) {
      throw this.#asStorageError(error);
    }
  }

  /** All that `work` does, or nothing. Only short work: it holds locks. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.run(async (query) => {
      await query("BEGIN");
      const result = await work(query);
      await query("COMMIT");
      return result;
    });
  }

  /** Waits for what is under way, at most as long as the timeouts. */
  close(): Promise<void> {
    this.#closed ??= this.#pool.end().then(() => {
      // pg waits for the server to end each connection, and a frozen one never does.
      for (const socket of this.#sockets) socket.destroy();
    });
    return this.#closed;
  }

  #socket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

/**
 * One round trip for a new connection. Not as startup parameters, which poolers such as PgBouncer refuse.
 *
 * With `synchronous_commit` off, as a database or a role may have it set, a commit is answered before it is on the disk. What waits for
 * standbys on top of that (remote_apply and others) is the operator's choice and stays.
 */
async function configureSession(
  client: ClientBase,
  limits: PostgresTimeouts,
  done: (error?: Error) => void,
): Promise<void> {
  try {
    await client.query(
      `SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),
       set_config('idle_in_transaction_session_timeout', $3, false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
         ELSE current_setting('synchronous_commit') END, false)`,
      [limits.statementMs, limits.lockMs, limits.idleInTransactionMs].map(String),
    );
  } catch (error) {
    done(error as Error);
    return;
  }
  done();
}
