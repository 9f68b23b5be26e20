import { openMemoryStore } from "./memory-store.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { StorageError, type Store } from "./store.ts";

export interface OpenStoreOptions {
  readonly databaseUrl: string;
  /** It was open before: where it is gone it must not begin anew, empty. */
  readonly mustExist?: boolean;
}

/** The adapter for a DATABASE_URL, already checked by the option table. */
export function openStore({ databaseUrl, mustExist }: OpenStoreOptions): Store {
  if (databaseUrl === "memory:") return openMemoryStore();
  if (databaseUrl.startsWith("sqlite:")) {
    return openSqliteStore(databaseUrl.slice("sqlite:".length), { mustExist });
  }
  if (/^postgres(?:ql)?:/.test(databaseUrl)) return openPostgresStore(databaseUrl);
  // Not the URL itself: it may carry a password.
  throw new StorageError(`No storage adapter for ${databaseUrl.split(":", 1)[0]}:`);
}
