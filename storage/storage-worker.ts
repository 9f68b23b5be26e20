/**
 * Entry point of the storage worker thread: opens the store and serves one request a message. A store that cannot be opened ends
 * the thread; the main thread sees its error and starts another one at the next request.
 */
import { parentPort, workerData } from "node:worker_threads";
import * as Y from "yjs";
import { decodeBatch } from "./batch-codec.ts";
import { openStore } from "./open-store.ts";
import type { Store } from "./store.ts";

export type StorageRequest =
  | { readonly op: "load" | "compact"; readonly room: string }
  | { readonly op: "append"; readonly batch: Uint8Array<ArrayBuffer> }
  | { readonly op: "journaled-rooms" | "check" | "close" };

export type StorageMessage = StorageRequest & { readonly id: number };

export interface StorageReply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: Error;
}

if (!parentPort) throw new Error("storage-worker.ts runs as a worker thread only");
const port = parentPort;
const store = openStore((workerData as { databaseUrl: string }).databaseUrl);

port.on("message", (message: StorageMessage) => void serve(message));

async function serve(message: StorageMessage): Promise<void> {
  const { id } = message;
  try {
    port.postMessage({ id, result: await perform(store, message) } satisfies StorageReply);
  } catch (error) {
    port.postMessage({ id, error: asError(error) } satisfies StorageReply);
  }
  // Nothing else keeps the thread: it ends once the reply is out.
  if (message.op === "close") port.close();
}

async function perform(target: Store, request: StorageRequest): Promise<unknown> {
  switch (request.op) {
    case "load": {
      const { snapshot, updates } = await target.load(request.room);
      // Merged here, because applying a thousand small updates one by one would cost the event loop more.
      return { snapshot, updates: updates.length > 1 ? [Y.mergeUpdates([...updates])] : updates };
    }
    case "append":
      return target.append(decodeBatch(request.batch));
    case "compact":
      return target.compact(request.room);
    case "journaled-rooms":
      return target.journaledRooms();
    case "check":
      return target.check();
    case "close":
      return target.close();
    default:
      throw new Error(`Unknown storage request ${JSON.stringify(request satisfies never)}`);
  }
}

/** SqliteError does not survive structured cloning with its code; the message then carries it. */
function asError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = "code" in error ? `${String(error.code)}: ` : "";
  return new Error(`${code}${error.message}`);
}
