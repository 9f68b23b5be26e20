/**
 * The room on this device (IndexedDB): shown at once at the next visit, and where edits wait while the server is away.
 *
 * One database for each user and room: on a shared device nobody opens what another has left. `copies.ts` is about all of a user's.
 */
import { IndexeddbPersistence } from "y-indexeddb";
import type { Doc } from "yjs";
import { type Access, CopyNotes } from "./copy-notes.ts";
import { canStore, done } from "./indexed-db.ts";

export interface Place {
  readonly user: string;
  readonly room: string;
}

export const nameOf = ({ user, room }: Place): string => `righttask:${encodeURIComponent(user)}:${room}`;

export class LocalCopy {
  readonly notes: CopyNotes;
  /** What an earlier visit, or another tab, has left. */
  readonly found: { readonly unsaved: number; readonly access: Access | null; readonly isWhole: boolean };
  readonly #persistence: IndexeddbPersistence;
  readonly #db: IDBDatabase;
  #lastKey: number;

  private constructor(parts: {
    persistence: IndexeddbPersistence;
    db: IDBDatabase;
    notes: CopyNotes;
    found: LocalCopy["found"];
    lastKey: number;
  }) {
    this.#persistence = parts.persistence;
    this.#db = parts.db;
    this.notes = parts.notes;
    this.found = parts.found;
    this.#lastKey = parts.lastKey;
    // Deleted under us, by another tab or by hand: y-indexeddb would go on writing, and its failure would keep the room from hearing of the edit.
    for (const event of ["versionchange", "close"])
      this.#db.addEventListener(event, () => void this.#persistence.destroy());
  }

  /** @returns null where the browser keeps nothing (some private windows, a full disk) */
  static async open({ user, room, document }: Place & { document: Doc }): Promise<LocalCopy | null> {
    // y-indexeddb leaves a failed opening unhandled (checked on 9.0.12), so it is tried beforehand.
    if (!(await canStore())) return null;
    const persistence = new IndexeddbPersistence(nameOf({ user, room }), document);
    await persistence.whenSynced;
    const { db } = persistence;
    if (!db) return null;
    try {
      const notes = new CopyNotes(db);
      const [found, lastKey] = await Promise.all([notes.read(), lastKeyIn(db)]);
      return new LocalCopy({ persistence, db, notes, found, lastKey });
    } catch {
      await persistence.destroy();
      return null;
    }
  }

  /**
   * Whether the edit that was made just now is written. A transaction on the same store waits for those before it, also for one that
   * fails (a full disk), which y-indexeddb does not tell: then there is no new row.
   */
  async written(): Promise<boolean> {
    const key = await lastKeyIn(this.#db).catch(() => 0);
    // Compared after the wait: the answers come in the order of the edits.
    const isNew = key > this.#lastKey;
    if (isNew) this.#lastKey = key;
    return isNew;
  }

  async close(): Promise<void> {
    await this.#persistence.destroy();
  }

  async forget(): Promise<void> {
    await this.#persistence.clearData();
  }
}

async function lastKeyIn(db: IDBDatabase): Promise<number> {
  const rows = db.transaction("updates", "readonly").objectStore("updates");
  const last = await done(rows.openKeyCursor(null, "prev"));
  return Number(last?.key ?? 0);
}
