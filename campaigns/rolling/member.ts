/** A user with the real `HocuspocusProvider` on a socket of its own, who notes when it is away and what it was told is saved. */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import { WebSocket } from "ws";

export interface Absence {
  /** Of the close. */
  readonly code: number;
  /** From the close to the whole room again, ms since 1970. */
  readonly from: number;
  readonly to: number;
}

export interface Edit {
  readonly room: string;
  /** Unique in the run. */
  readonly key: string;
  acknowledged: boolean;
}

export interface MemberOptions {
  readonly url: string;
  readonly room: string;
  /** Unique in the run. */
  readonly name: string;
}

export class Member {
  readonly absences: Absence[] = [];
  readonly edits: Edit[] = [];
  /** Attempts to come back that came to nothing. */
  failedAttempts = 0;
  isInside = false;
  readonly #options: MemberOptions;
  readonly #websocketProvider: HocuspocusProviderWebsocket;
  readonly #provider: HocuspocusProvider;
  #left: { readonly code: number; readonly at: number } | null = null;
  /** Of `edits`, from here on. */
  #unacknowledgedFrom = 0;

  constructor(options: MemberOptions) {
    this.#options = options;
    const { url, room } = options;
    // Node's own WebSocket costs several times as much; a thousand of them would be what is measured.
    const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket });
    const provider = new HocuspocusProvider({ websocketProvider, name: room, token: "guest" });
    this.#websocketProvider = websocketProvider;
    this.#provider = provider;
    provider.on("synced", ({ state }: { state: boolean }) => state && this.#entered());
    provider.on("disconnect", ({ event }: { event: { code: number } }) => this.#closed(event.code));
    provider.on("unsyncedChanges", ({ number }: { number: number }) => number === 0 && this.#saved());
    provider.attach();
  }

  get isSaved(): boolean {
    return this.isInside && !this.#provider.hasUnsyncedChanges;
  }

  write(): void {
    const { name, room } = this.#options;
    const key = `${name}.${this.edits.length}`;
    this.edits.push({ room, key, acknowledged: false });
    this.#provider.document.getMap("tasks").set(key, key);
  }

  leave(): void {
    this.#provider.destroy();
    this.#websocketProvider.destroy();
    this.#provider.document.destroy();
  }

  #entered(): void {
    this.isInside = true;
    if (this.#left) this.absences.push({ code: this.#left.code, from: this.#left.at, to: Date.now() });
    this.#left = null;
  }

  #closed(code: number): void {
    if (this.isInside) this.#left = { code, at: Date.now() };
    else this.failedAttempts++;
    this.isInside = false;
  }

  /** To the provider 0 means all that the document had until now, also what was written while it was away. */
  #saved(): void {
    for (const edit of this.edits.slice(this.#unacknowledgedFrom)) edit.acknowledged = true;
    this.#unacknowledgedFrom = this.edits.length;
  }
}
