/**
 * Loads a room from the store and hands every update to the journal.
 *
 * Hooks      onLoadDocument, afterUnloadDocument
 * Promises   S1 an update is in the journal's hands before any client can be told that it is saved
 *            S3 a room that cannot be loaded is refused for now, never shown empty
 *            S4 a room with unsaved updates never leaves memory
 *            S5 a room's journal is merged into its snapshot when it grows and when the room unloads
 *            M20 nor one for which there is no memory
 *            S10 an unreadable journal row is set aside with a loud log, and the rest of the room loads
 * On failure acks are withheld, the journal tries again, readiness turns red
 */
import {
  isTransactionOrigin,
  type Document,
  type Extension,
  type LocalTransactionOrigin,
} from "@hocuspocus/server";
import pLimit from "p-limit";
import * as Y from "yjs";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { RoomMemory } from "../limits/room-memory.ts";
import type { Journal } from "../storage/journal.ts";
import { StoreMoved, type Compaction, type Store, type UnreadableRow } from "../storage/store.ts";
import type { ThreadedStore } from "../storage/threaded-store.ts";
import { hasPending } from "../sync/pending.ts";

export interface PersistenceOptions {
  readonly store: Store & Pick<ThreadedStore, "loadSince">;
  readonly journal: Journal;
  readonly log: Log;
  /** Keeps a room in memory until the returned function is called. */
  readonly hold: (room: string) => () => void;
  readonly maxDocumentBytes: number;
  readonly memory: Pick<RoomMemory, "open" | "loaded">;
  /** Whether another instance journals an update, which came from there with this origin. It is then only counted here. */
  readonly isElsewhere?: ((room: string, update: Uint8Array, origin: unknown) => boolean) | undefined;
  /** Called before an update goes into the journal: what it builds on, and another instance was to journal, has to be in it first. */
  readonly beforeAppend?: ((room: string, update: Uint8Array) => void) | undefined;
  /** Awaited before a room is read: what others commit afterwards is then known to be missing. */
  readonly beforeRead?: ((document: Document) => Promise<void> | undefined) | undefined;
}

/**
 * A journal of this many rows or bytes is merged while the room is open: loading a room costs its snapshot and its journal, and
 * merging costs the whole room once, so it has to be worth it.
 */
const COMPACT_AFTER_ROWS = 5000;
const COMPACT_AFTER_BYTES = 4 * 1024 * 1024;
/** How far what a room is thought to be may be from what it is: deleted content is known to be gone after a merge. */
const COMPACT_AFTER_SHARE = 1 / 8;

/** The event loop or the store is slow with it, and somebody looks at an empty page meanwhile. */
const SLOW_LOAD_MS = 200;

/** Of what is in the store already. */
const FROM_STORE: LocalTransactionOrigin = { source: "local", skipStoreHooks: true };

/** Of that, and of what has waited in the document for it: whose that is, and whether it is in any store, nobody knows any more. */
const FROM_STORE_AND_ELSEWHERE: LocalTransactionOrigin = { ...FROM_STORE };

/** What a room's journal has gathered since its last merge. */
interface Growth {
  rows: number;
  bytes: number;
  /** It is enough, and is merged once all of it is in the store. */
  isDue?: boolean;
}

export interface Persistence extends Extension<Identity> {
  /** To be called by the journal when a room has nothing unsaved any more. */
  saved(room: string): void;
  /** Journals an update that is in the document already, and that another instance was to journal. */
  append(room: string, update: Uint8Array): void;
  /**
   * Takes in what other instances have committed since an open room was read. Resolves with whether there was something.
   * @throws Refusal
   */
  catchUp(document: Document): Promise<boolean>;
  /** Says loudly what was set aside, whoever's reading of the room found it. */
  reportUnreadable(room: string, rows: readonly UnreadableRow[]): void;
  /** How large an open room is in the store, bytes, with what was deleted since its last merge. */
  storedBytes(room: string): number;
  /** Finds out how large it is without that, by a merge once all of it is saved. */
  remeasure(room: string): void;
  /**
   * Merges the journals of all rooms that have one, also of rooms that an earlier crash left behind: a stock server that gets the file
   * next knows snapshots only. Stops early, without harm, when the signal fires.
   */
  compactAll(signal: AbortSignal): Promise<void>;
}

export function persistence({
  store,
  journal,
  log,
  hold,
  maxDocumentBytes,
  memory,
  isElsewhere,
  beforeAppend,
  beforeRead,
}: PersistenceOptions): Persistence {
  const growths = new Map<string, Growth>();
  const compactAfterBytes = Math.min(COMPACT_AFTER_BYTES, maxDocumentBytes * COMPACT_AFTER_SHARE);
  /** Bytes that each open room has in the store, roughly: what deletions have freed is counted until the next merge or load. */
  const sizes = new Map<string, number>();
  const holds = new Map<string, () => void>();

  // One at a time: appends and loads then slip in between, where a thousand rooms unloading together would hold up everybody's acks.
  const oneAtATime = pLimit(1);
  const compact = async (room: string): Promise<void> => {
    growths.delete(room);
    let sizeBefore = 0;
    const merge = (): Promise<Compaction> =>
      oneAtATime(() => {
        // What is not in the store yet will not be in the merge, and counts on top of it.
        const unsaved = journal.unsavedUpdates(room).reduce((sum, { byteLength }) => sum + byteLength, 0);
        sizeBefore = (sizes.get(room) ?? 0) - unsaved;
        return store.compact(room);
      });
    try {
      const { rows, bytes, unreadable } = await merge().catch((error: unknown) => {
        // Who merges notices with the first room that its file is not the one any more, and the next time has the right one.
        if (error instanceof StoreMoved) return merge();
        throw error;
      });
      reportUnreadable(room, unreadable);
      const size = sizes.get(room);
      // What has come since it began may be in it or not. Gone and opened again meanwhile: the load has counted.
      if (rows > 0 && size !== undefined && size >= sizeBefore) sizes.set(room, bytes + size - sizeBefore);
      if (rows > 0)
        log.debug({ event: "compacted", room, rows, bytes }, `💾 Compacted ${rows} updates of ${room}`);
    } catch (error) {
      // Nothing is lost: the journal has everything, and the next growth, unload or stop tries again.
      log.warn({ event: "compaction-failed", room, err: error }, `💾 Could not compact ${room}`);
      if (!growths.has(room)) growths.set(room, { rows: 1, bytes: 0 });
    }
  };

  const reportUnreadable = (room: string, rows: readonly UnreadableRow[]): void => {
    for (const { seq, reason } of rows) {
      log.error(
        { event: "quarantined", room, seq, reason },
        `🚑 An update of ${room} cannot be read and was set aside: ${reason}`,
      );
    }
  };

  /** Counts against nobody: whoever came first did not make the room large. */
  const reportSlowLoad = (
    room: string,
    {
      bytes,
      startedAt,
      readAt,
    }: { readonly bytes: number; readonly startedAt: number; readonly readAt: number },
  ): void => {
    const [ms, applyMs] = [startedAt, readAt].map((since) => Math.round(performance.now() - since));
    if (ms === undefined || ms < SLOW_LOAD_MS) return;
    log.warn({ event: "slow-load", room, ms, applyMs, bytes }, `🐢 Loading ${room} took ${ms} ms`);
  };

  /** Rooms that are merged to be measured, and whether somebody has asked again meanwhile. */
  const measured = new Map<string, { again: boolean }>();
  const measure = async (room: string): Promise<void> => {
    const turn = { again: true };
    measured.set(room, turn);
    while (turn.again) {
      turn.again = false;
      await new Promise<void>((resolve) => journal.whenSaved(room, { saved: () => resolve() }));
      // Nothing since the last merge: its size is known.
      if (growths.has(room)) await compact(room);
    }
    measured.delete(room);
  };

  const record = (room: string, update: Uint8Array, origin: unknown): void => {
    const isFromClient = isTransactionOrigin(origin) && origin.source === "connection";
    // Never a throw from this listener: Yjs would be left with a dead document. A team's hook may have spoilt the context.
    const author = (isFromClient && (origin.connection.context as Partial<Identity>).user?.id) || "";
    sizes.set(room, (sizes.get(room) ?? 0) + update.byteLength);
    if (origin === FROM_STORE || isElsewhere?.(room, update, origin)) return;
    beforeAppend?.(room, update);
    append(room, update, author);
  };

  const append = (room: string, update: Uint8Array, author = ""): void => {
    if (!holds.has(room)) holds.set(room, hold(room));
    journal.append({ room, update, at: Date.now(), author });
    const growth = growths.get(room) ?? { rows: 0, bytes: 0 };
    growths.set(room, growth);
    growth.rows++;
    growth.bytes += update.byteLength;
    if (growth.isDue || (growth.rows < COMPACT_AFTER_ROWS && growth.bytes < compactAfterBytes)) return;
    growth.isDue = true;
    // Not before: what has made it grow at one stroke would be missed, and its growth forgotten.
    journal.whenSaved(room, { saved: () => void compact(room) });
  };

  return {
    extensionName: "persistence",
    // Before a team's extensions: what they put into a document at its load is an edit like others. One that came first would not be in
    // the journal, and all that builds on it could not be read again.
    priority: 5000,

    async onLoadDocument({ document, documentName, context }) {
      // A document that was discarded (`Rooms.discard`) may have left edits on their way to the disk.
      if (journal.trouble) throw new Refusal(closeReasons.storageUnavailable, "Edits cannot be saved");
      await new Promise<void>((resolve) => journal.whenSaved(documentName, { saved: () => resolve() }));
      await beforeRead?.(document);
      const startedAt = performance.now();
      const { snapshot, updates, unreadable } = await store.load(documentName).catch(refuse);
      reportUnreadable(documentName, unreadable);
      const storedBytes = [snapshot ?? new Uint8Array(), ...updates].reduce(
        (sum, { byteLength }) => sum + byteLength,
        0,
      );
      // Of a direct connection the context is whatever the extension gave it.
      memory.open(document, {
        user: (context as Partial<Identity> | undefined)?.user?.id,
        bytes: storedBytes,
      });
      const readAt = performance.now();
      try {
        // One transaction, so that the cost of its end is paid once, however long the journal.
        document.transact(() => {
          if (snapshot) Y.applyUpdate(document, snapshot);
          for (const update of updates) Y.applyUpdate(document, update);
        });
      } catch (error) {
        // Its journal alone would be a room with holes: refused until an operator has decided (`npm run doctor`).
        throw new Refusal(closeReasons.storageUnavailable, "The stored room cannot be read", {
          cause: error,
        });
      }
      sizes.set(documentName, storedBytes);
      reportSlowLoad(documentName, { bytes: storedBytes, startedAt, readAt });
      // A journal that an earlier crash left behind is merged at the next unload even if nobody edits.
      if (updates.length > 0) growths.set(documentName, { rows: updates.length, bytes: 0 });
      document.on("update", (update: Uint8Array, origin: unknown) => record(documentName, update, origin));
      memory.loaded(document);
    },

    remeasure(room) {
      const turn = measured.get(room);
      if (turn) turn.again = true;
      else void measure(room);
    },

    append: (room, update) => append(room, update),

    async catchUp(document) {
      const { name } = document;
      const since = Y.encodeStateVector(document);
      const { snapshot, updates, unreadable } = await store.loadSince(name, since).catch(refuse);
      reportUnreadable(name, unreadable);
      let hasChanged = false;
      const onUpdate = (): void => void (hasChanged = true);
      document.on("update", onUpdate);
      const isMixed = hasPending(document);
      document.transact(
        () => {
          if (snapshot) Y.applyUpdate(document, snapshot);
          for (const update of updates) Y.applyUpdate(document, update);
        },
        isMixed ? FROM_STORE_AND_ELSEWHERE : FROM_STORE,
      );
      document.off("update", onUpdate);
      return hasChanged;
    },

    storedBytes: (room) => sizes.get(room) ?? 0,
    reportUnreadable,

    async afterUnloadDocument({ documentName }) {
      sizes.delete(documentName);
      if (growths.has(documentName)) await compact(documentName);
    },

    saved(room) {
      // Taken out afterwards: what a hook appends while this unloads the room (`fanOutExtension`, or a team's) takes no new hold. Otherwise the room
      // would stay for as long as a hook, or another instance, writes each time.
      holds.get(room)?.();
      holds.delete(room);
    },

    async compactAll(signal) {
      for (const room of await store.journaledRooms()) {
        if (signal.aborted) return;
        await compact(room);
      }
    },
  };
}

function refuse(cause: unknown): never {
  throw new Refusal(closeReasons.storageUnavailable, "The room could not be loaded", { cause });
}
