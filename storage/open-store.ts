import { openMemoryStore } from "./memory-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { StorageError, type Store } from "./store.ts";

/** The adapter for a DATABASE_URL, already checked by the option table. */
export function openStore(databaseUrl: string): Store {
  if (databaseUrl === "memory:") return openMemoryStore();
  if (databaseUrl.startsWith("sqlite:")) return openSqliteStore(databaseUrl.slice("sqlite:".length));
  // Not the URL itself: it may carry a password.
  throw new StorageError(`No storage adapter for ${databaseUrl.split(":", 1)[0]}:`);
}
