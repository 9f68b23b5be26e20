/**
 * The room on this device (IndexedDB): shown at once at the next visit, and where edits wait while the server is away.
 *
 * One database for each user and room: on a shared device nobody opens what another has left. Signing out deletes all of a user's
 * (`forgetCopies`), losing the right to a room deletes that one.
 */
import { IndexeddbPersistence } from "y-indexeddb";
import type { Doc } from "yjs";

export type Access = "read" | "write";

/** What is remembered beside the document. */
interface Notes {
  /** Edits that the server had not acknowledged. */
  unsaved: number;
  /** So that a page that opens offline knows whether it may edit. */
  access: Access;
}

export class LocalCopy {
  readonly #persistence: IndexeddbPersistence;

  private constructor(persistence: IndexeddbPersistence) {
    this.#persistence = persistence;
  }

  /** @returns null where the browser keeps nothing (some private windows, a full disk) */
  static async open({ user, room, document }: Place & { document: Doc }): Promise<LocalCopy | null> {
    // y-indexeddb leaves a failed opening unhandled (checked on 9.0.12), so it is tried beforehand.
    if (!(await canStore())) return null;
    const persistence = new IndexeddbPersistence(nameOf({ user, room }), document);
    await persistence.whenSynced;
    return new LocalCopy(persistence);
  }

  async read<K extends keyof Notes>(note: K): Promise<Notes[K] | undefined> {
    return (await this.#persistence.get(note)) as Notes[K] | undefined;
  }

  async note<K extends keyof Notes>(note: K, value: Notes[K]): Promise<void> {
    await this.#persistence.set(note, value);
  }

  /** Resolves when what was edited until now is written: a transaction on the same store waits for those before it. */
  async written(): Promise<void> {
    const { db } = this.#persistence;
    if (!db) return;
    await done(db.transaction(["updates"], "readonly").objectStore("updates").count());
  }

  async close(): Promise<void> {
    await this.#persistence.destroy();
  }

  async forget(): Promise<void> {
    await this.#persistence.clearData();
  }
}

interface Place {
  readonly user: string;
  readonly room: string;
}

const PREFIX = "righttask";

const nameOf = ({ user, room }: Place): string => `${PREFIX}:${encodeURIComponent(user)}:${room}`;

/** Deletes every room that this user has on this device, also what was not saved. */
export async function forgetCopies(user: string): Promise<void> {
  const prefix = nameOf({ user, room: "" });
  const databases = await indexedDB.databases().catch(() => []);
  for (const { name } of databases) if (name?.startsWith(prefix)) indexedDB.deleteDatabase(name);
}

async function canStore(): Promise<boolean> {
  try {
    const database = await done(indexedDB.open(`${PREFIX}-probe`));
    database.close();
    return true;
  } catch {
    return false;
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
