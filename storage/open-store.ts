import { openMemoryStore } from "./memory-store.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { openSqliteStore, type StoreRole } from "./sqlite-store.ts";
import { StorageError, type Store } from "./store.ts";

export interface OpenStoreOptions {
  readonly databaseUrl: string;
  readonly role?: StoreRole;
  /** The SQLite file that it was opened with before: where that is gone it must not begin anew, empty or with another one. */
  readonly inode?: number | undefined;
  /** Told which SQLite file it is, and which one from when it has been written anew. */
  readonly onFile?: (inode: number) => void;
}

/** The adapter for a DATABASE_URL, already checked by the option table. */
export function openStore({ databaseUrl, role, inode, onFile }: OpenStoreOptions): Store {
  if (databaseUrl === "memory:") return openMemoryStore();
  if (databaseUrl.startsWith("sqlite:")) {
    return openSqliteStore(databaseUrl.slice("sqlite:".length), {
      role,
      inode,
      mustExist: inode !== undefined,
      onFile,
    });
  }
  if (/^postgres(?:ql)?:/.test(databaseUrl)) return openPostgresStore(databaseUrl);
  // Not the URL itself: it may carry a password.
  throw new StorageError(`No storage adapter for ${databaseUrl.split(":", 1)[0]}:`);
}
