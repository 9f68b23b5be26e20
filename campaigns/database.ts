/** Where the servers of one campaign keep their rooms. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresCluster } from "../test/support/postgres-cluster.ts";

export const STORE_NAMES = ["sqlite", "postgres"] as const;
export type StoreName = (typeof STORE_NAMES)[number];

export interface Database {
  readonly url: string;
  /** Ends the database itself with SIGKILL and starts it again; null where that is not ours to do. */
  readonly crash: (() => Promise<void>) | null;
  remove(): Promise<void>;
}

/** A database of the campaign's own. */
export async function createDatabase(store: StoreName): Promise<Database> {
  return store === "sqlite" ? createSqlite() : createPostgres();
}

/** One that somebody else keeps. What the campaign writes stays in it. */
export function foreignDatabase(url: string): Database {
  return { url, crash: null, remove: async () => {} };
}

function createSqlite(): Database {
  const dir = mkdtempSync(join(tmpdir(), "righttask-crash-"));
  const removeNow = (): void => rmSync(dir, { recursive: true, force: true });
  // Should the run be broken off.
  process.once("exit", removeNow);
  return {
    url: `sqlite:${join(dir, "collab.sqlite")}`,
    crash: null,
    remove: async () => {
      process.off("exit", removeNow);
      removeNow();
    },
  };
}

async function createPostgres(): Promise<Database> {
  const cluster = new PostgresCluster();
  try {
    cluster.create();
    await cluster.start();
  } catch (error) {
    await cluster.remove();
    throw error;
  }
  return {
    url: cluster.urlOf("postgres"),
    crash: async () => {
      await cluster.kill();
      await cluster.start();
    },
    remove: () => cluster.remove(),
  };
}
