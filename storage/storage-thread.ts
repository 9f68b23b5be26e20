/**
 * The store as the main thread sees it: a worker thread does the work, so that an fsync, a compaction or a lock held by another
 * process never stops the event loop (with the stock SQLite extension it stood still for 4,996 ms).
 *
 * The worker is started when first needed and again whenever it has ended. Requests that it took along are rejected; who sent them
 * decides whether to repeat them.
 */
import { Worker } from "node:worker_threads";
import { encodeBatch } from "./batch-codec.ts";
import type { StorageMessage, StorageReply, StorageRequest } from "./storage-worker.ts";
import { StorageError, type Compaction, type Store, type StoredRoom } from "./store.ts";

/** A reader waits this long: longer than a compaction of the largest room, shorter than a client's patience. */
const READ_TIMEOUT_MS = 10_000;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StorageError) => void;
}

export class StorageThread implements Store {
  readonly #databaseUrl: string;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #lastId = 0;
  #closed = false;

  constructor({ databaseUrl }: { readonly databaseUrl: string }) {
    this.#databaseUrl = databaseUrl;
  }

  load(room: string): Promise<StoredRoom> {
    return this.#request<StoredRoom>({ op: "load", room }, { timeoutMs: READ_TIMEOUT_MS });
  }

  /** No timeout: giving up would not take the rows back, and the journal sends one batch at a time anyway. */
  append(entries: Parameters<Store["append"]>[0]): Promise<void> {
    return this.#request<void>({ op: "append", batch: encodeBatch(entries) });
  }

  compact(room: string): Promise<Compaction> {
    return this.#request<Compaction>({ op: "compact", room });
  }

  journaledRooms(): Promise<string[]> {
    return this.#request<string[]>({ op: "journaled-rooms" });
  }

  check(): Promise<void> {
    return this.#request<void>({ op: "check" }, { timeoutMs: READ_TIMEOUT_MS });
  }

  async close(): Promise<void> {
    if (this.#worker) await this.#request<void>({ op: "close" });
    this.#closed = true;
    await this.end();
  }

  /** Ends the worker at once, as a crash of it would. Requests under way are rejected; the next one starts another worker. */
  async end(): Promise<void> {
    await this.#worker?.terminate();
  }

  #request<T>(request: StorageRequest, { timeoutMs }: { timeoutMs?: number } = {}): Promise<T> {
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

  #start(): Worker {
    const worker = new Worker(new URL("./storage-worker.ts", import.meta.url), {
      workerData: { databaseUrl: this.#databaseUrl },
      name: "storage",
    });
    worker.on("message", ({ id, result, error }: StorageReply) => {
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
