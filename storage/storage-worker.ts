/**
 * Entry point of a storage worker thread: opens the store and serves one request a message. A store that cannot be opened ends
 * the thread; the main thread sees its error and starts another one at the next request.
 */
import { parentPort, workerData } from "node:worker_threads";
import * as Y from "yjs";
import { decodeBatch } from "./batch-codec.ts";
import { openStore, type OpenStoreOptions } from "./open-store.ts";
import { StoreMoved, type Store, type StoredRoom } from "./store.ts";

export type StorageRequest =
  | {
      readonly op: "load";
      readonly room: string;
      /** State vector of who asks: only what is missing there is returned. */
      readonly since?: Uint8Array | undefined;
    }
  | { readonly op: "compact"; readonly room: string }
  | { readonly op: "append"; readonly batch: Uint8Array<ArrayBuffer> }
  | { readonly op: "journaled-rooms" | "identity" | "check" | "close" };

export type StorageMessage = StorageRequest & { readonly id: number };

export interface StorageReply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: Error;
  /** The store has moved (`StoreMoved`), and the worker ends. */
  readonly hasMoved?: boolean;
}

/** Sent before any reply: the SQLite file that the store is in, for the next worker. */
export interface StorageNotice {
  readonly inode: number;
}

/** As `workerData`. */
export type StorageAssignment = Omit<OpenStoreOptions, "onFile">;

if (!parentPort) throw new Error("storage-worker.ts runs as a worker thread only");
const port = parentPort;
const store = openStore({
  ...(workerData as StorageAssignment),
  onFile: (inode) => port.postMessage({ inode } satisfies StorageNotice),
});

port.on("message", (message: StorageMessage) => void serve(message));

async function serve(message: StorageMessage): Promise<void> {
  const { id } = message;
  try {
    const result = await perform(store, message);
    port.postMessage({ id, result } satisfies StorageReply, buffersIn(result));
    if (message.op === "close") port.close();
  } catch (error) {
    const hasMoved = error instanceof StoreMoved;
    port.postMessage({ id, error: asError(error), hasMoved } satisfies StorageReply);
    // Nothing else keeps the thread: it ends once the reply is out.
    if (hasMoved || message.op === "close") port.close();
  }
}

async function perform(target: Store, request: StorageRequest): Promise<unknown> {
  switch (request.op) {
    case "load":
      return prepared(await target.load(request.room), request.since);
    case "append":
      return target.append(decodeBatch(request.batch));
    case "compact":
      return target.compact(request.room);
    case "journaled-rooms":
      return target.journaledRooms();
    case "identity":
      return target.identity();
    case "check":
      return target.check();
    case "close":
      return target.close();
    default:
      throw new Error(`Unknown storage request ${JSON.stringify(request satisfies never)}`);
  }
}

/**
 * The room as the main thread wants it. The journal is merged here, because applying a thousand small updates one by one would cost the
 * event loop more. Snapshot and journal stay apart: merging them costs seconds for a large room, and the receiver gains nothing.
 */
function prepared({ snapshot, updates, unreadable }: StoredRoom, since: Uint8Array | undefined): StoredRoom {
  const journal = updates.length > 1 ? [Y.mergeUpdates([...updates])] : updates;
  const trimmed = (update: Uint8Array): Uint8Array =>
    // A buffer of its own in any case: it is handed over, and what a database driver returns may be a view of a shared one.
    since && since.byteLength > 1 ? Y.diffUpdate(update, since) : Uint8Array.from(update);
  return { snapshot: snapshot && trimmed(snapshot), updates: journal.map(trimmed), unreadable };
}

/** Handed over instead of copied: copying 20 MB would take the event loop as long as it takes to type a letter. */
function buffersIn(result: unknown): ArrayBuffer[] {
  if (!isStoredRoom(result)) return [];
  const { snapshot, updates } = result;
  return (snapshot ? [snapshot, ...updates] : updates).map(({ buffer }) => buffer as ArrayBuffer);
}

function isStoredRoom(result: unknown): result is StoredRoom {
  return typeof result === "object" && result !== null && "updates" in result;
}

/** SqliteError does not survive structured cloning with its code; the message then carries it. */
function asError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = "code" in error ? `${String(error.code)}: ` : "";
  return new Error(`${code}${error.message}`);
}
