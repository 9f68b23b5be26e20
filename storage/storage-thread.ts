/**
 * One worker thread with a store in it, so that an fsync, a compaction or a lock held by another process never stops the event loop
 * (with the stock SQLite extension it stood still for 4,996 ms).
 *
 * The worker is started when first needed and again whenever it has ended. Requests that it took along are rejected; who sent them
 * decides whether to repeat them.
 */
import { Worker } from "node:worker_threads";
import type { OpenStoreOptions } from "./open-store.ts";
import type { StorageMessage, StorageReply, StorageRequest } from "./storage-worker.ts";
import { StorageError } from "./store.ts";

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StorageError) => void;
}

/** One database, for all threads that work on it. */
export interface StoragePlace {
  readonly databaseUrl: string;
  /** Whether any of them has had it open. From then on it has to be there. */
  wasOpen: boolean;
}

export class StorageThread {
  readonly #place: StoragePlace;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #lastId = 0;
  #closed = false;

  constructor(place: StoragePlace) {
    this.#place = place;
  }

  /** @throws StorageError with the store's reason, when the worker ends, or after `timeoutMs` without an answer. */
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
        mustExist: this.#place.wasOpen,
      } satisfies OpenStoreOptions,
      name: "storage",
    });
    worker.on("message", ({ id, result, error }: StorageReply) => {
      this.#place.wasOpen = true;
      if (error) this.#fail(id, error.message);
      else this.#pending.get(id)?.resolve(result);
    });
    const ended = (reason: string): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
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
