/** A well-behaved user who types all the while, with the real provider, and must notice nothing. */
import { HocuspocusProvider } from "@hocuspocus/provider";

export class Bystander {
  readonly room: string;
  /** What the server has called saved. */
  readonly saved: string[] = [];
  readonly closes: number[] = [];
  slowestMs = 0;
  readonly #provider: HocuspocusProvider;
  readonly #inside = Promise.withResolvers<void>();
  #writing: { readonly key: string; readonly at: number } | null = null;
  #stopped: (() => void) | null = null;
  #count = 0;

  constructor(url: string, room: string) {
    this.room = room;
    this.#provider = new HocuspocusProvider({ url, name: room, token: "guest" });
    this.#provider.on("unsyncedChanges", ({ number }: { number: number }) => this.#onUnsynced(number));
    this.#provider.on("disconnect", ({ event }: { event: { code: number } }) => this.closes.push(event.code));
    this.#provider.on("authenticationFailed", () => this.closes.push(0));
  }

  inside(): Promise<void> {
    return this.#inside.promise;
  }

  /** Resolves when the last edit is saved. */
  async stop(): Promise<void> {
    await new Promise<void>((resolve) => (this.#stopped = resolve));
    this.#provider.destroy();
    this.#provider.document.destroy();
  }

  #onUnsynced(unsynced: number): void {
    if (unsynced > 0) return;
    this.#inside.resolve();
    if (this.#writing) {
      this.saved.push(this.#writing.key);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - this.#writing.at);
    }
    if (this.#stopped) this.#stopped();
    else this.#write();
  }

  #write(): void {
    // A key of its own each time, under a type that nobody else writes to.
    const key = `${this.#provider.document.clientID}-${this.#count++}`;
    this.#writing = { key, at: performance.now() };
    this.#provider.document.getMap("bystanders").set(key, true);
  }
}
