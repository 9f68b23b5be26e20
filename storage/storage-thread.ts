/**
 * One worker thread with a store in it, so that an fsync, a compaction or a lock held by another process never stops the event loop
 * (with the stock SQLite extension it stood still for 4,996 ms).
 *
 * The worker is started when first needed and again whenever it has ended. Requests that it took along are rejected; who sent them
 * decides whether to repeat them.
 */
import { Worker } from "node:worker_threads";
import type { StoreRole } from "./sqlite-store.ts";
import type {
  StorageAssignment,
  StorageMessage,
  StorageNotice,
  StorageReply,
  StorageRequest,
} from "./storage-worker.ts";
import { StorageError, StoreMoved } from "./store.ts";

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StorageError) => void;
}

/** One database, for all threads that work on it. */
export interface StoragePlace {
  readonly databaseUrl: string;
  /** Of the SQLite file that the first of them has opened, or the writer has written anew since. From then on it has to be there. */
  inode?: number;
}

export interface StorageThreadOptions {
  readonly place: StoragePlace;
  readonly role: StoreRole;
}

export class StorageThread {
  readonly #place: StoragePlace;
  readonly #role: StoreRole;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #lastId = 0;
  #closed = false;

  constructor({ place, role }: StorageThreadOptions) {
    this.#place = place;
    this.#role = role;
  }

  /**
   * @throws StorageError with the store's reason, when the worker ends, or after `timeoutMs` without an answer.
   * @throws StoreMoved when the next request has another worker, which opens the store again.
   */
  request<T>(request: StorageRequest, { timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<T> {
    if (this.#closed) return Promise.reject(new StorageError("The store is closed"));
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      const timer =
        timeoutMs &&
        setTimeout(() => this.#fail(id, `No answer to ${request.op} in ${timeoutMs} ms`), timeoutMs);
      const settled = (): void => {
        clearTimeout(timer || undefined);
        this.#pending.delete(id);
      };
      this.#pending.set(id, {
        resolve: (result) => (settled(), resolve(result as T)),
        reject: (error) => (settled(), reject(error)),
      });
      const transfer = request.op === "append" ? [request.batch.buffer] : [];
      worker.postMessage({ ...request, id } satisfies StorageMessage, transfer);
    });
  }

  /** Closes the store in the worker, which ends then. No request is taken afterwards. */
  async close(): Promise<void> {
    if (this.#worker) await this.request<void>({ op: "close" });
    this.#closed = true;
    await this.end();
  }

  /** Ends the worker at once, as a crash of it would. Requests under way are rejected; the next one starts another worker. */
  async end(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL("./storage-worker.ts", import.meta.url), {
      workerData: {
        databaseUrl: this.#place.databaseUrl,
        inode: this.#place.inode,
        role: this.#role,
      } satisfies StorageAssignment,
      name: "storage",
    });
    let moved: { readonly id: number; readonly error: StoreMoved } | null = null;
    worker.on("message", (message: StorageReply | StorageNotice) => {
      if ("inode" in message) {
        this.#place.inode = message.inode;
        return;
      }
      const { id, result, error, hasMoved } = message;
      // Told when the worker has ended: a second request before would go to it, and be lost.
      if (error && hasMoved) moved = { id, error: new StoreMoved(error.message) };
      else if (error) this.#fail(id, error.message);
      else this.#pending.get(id)?.resolve(result);
    });
    const ended = (reason: string): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      if (moved) this.#pending.get(moved.id)?.reject(moved.error);
      for (const id of this.#pending.keys()) this.#fail(id, reason);
    };
    worker.on("error", (error: Error) => ended(error.message));
    worker.on("exit", (code) => ended(`The storage worker ended with code ${code}`));
    return worker;
  }

  #fail(id: number, message: string): void {
    this.#pending.get(id)?.reject(new StorageError(message));
  }
}
