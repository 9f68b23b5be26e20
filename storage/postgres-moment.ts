/** All of a Postgres database as it is at one moment, however long it is looked at. */
import type { PostgresPool, Query } from "./postgres-pool.ts";

export interface Moment {
  readonly query: Query;
  readonly end: () => Promise<void>;
}

/** Keeps one connection of the pool until its end. As long as it is open, Postgres keeps every row that is deleted meanwhile. */
export async function openMoment(pool: PostgresPool): Promise<Moment> {
  const opened = Promise.withResolvers<Query>();
  const closing = Promise.withResolvers<void>();
  const session = pool.run(async (query) => {
    await query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    opened.resolve(query);
    await closing.promise;
    await query("COMMIT");
  });
  session.catch(opened.reject);
  const end = async (): Promise<void> => {
    closing.resolve();
    await session;
  };
  return { query: await opened.promise, end };
}
