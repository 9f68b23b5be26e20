/** A user with the real `HocuspocusProvider`: it counts what is not saved, and 0 means everything so far. */
import { HocuspocusProvider } from "@hocuspocus/provider";
import type { Edit } from "./ledger.ts";
import type { ProviderWriterPlan } from "./round-plan.ts";
import type { Writer, WriterOptions } from "./writer.ts";

export class ProviderWriter implements Writer {
  readonly joined: Promise<void>;
  readonly gone: Promise<void>;
  isInside = false;
  outstanding: Edit[] = [];
  readonly #options: WriterOptions;
  readonly #burst: number;
  readonly #provider: HocuspocusProvider;
  readonly #joined = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #writing = false;

  constructor(options: WriterOptions, { burst }: ProviderWriterPlan) {
    this.#options = options;
    this.#burst = burst;
    this.joined = this.#joined.promise;
    this.gone = this.#gone.promise;
    this.#provider = new HocuspocusProvider({ url: options.url, name: options.room, token: "guest" });
    this.#provider.on("unsyncedChanges", ({ number }: { number: number }) => this.#onUnsynced(number));
    this.#provider.on("disconnect", () => this.#ended());
  }

  start(): void {
    this.#writing = true;
    this.#write();
  }

  /** Destroyed at once, or it would come back to the next server with what it knows. */
  leave(): void {
    this.#ended();
    this.#provider.destroy();
    this.#provider.document.destroy();
  }

  #onUnsynced(number: number): void {
    if (number > 0) return;
    if (!this.#writing) {
      // Its first sync is a change of its own to the provider, acknowledged like any other.
      this.isInside = true;
      this.#joined.resolve();
      return;
    }
    const saved = this.outstanding;
    this.outstanding = [];
    this.#options.onAcknowledged(saved);
    this.#write();
  }

  #write(): void {
    if (!this.isInside) return;
    const tasks = this.#provider.document.getMap("tasks");
    this.outstanding = Array.from({ length: this.#burst }, () => this.#options.next());
    for (const { key, value } of this.outstanding) tasks.set(key, value);
  }

  #ended(): void {
    this.isInside = false;
    this.#gone.resolve();
  }
}
