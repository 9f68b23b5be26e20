/**
 * One room: its document, its copy on this device, its connection, and what the page may say about them. No React in here; `use-room.ts` is the hook.
 *
 * The copy is loaded first, so that the first sync already says what this device has; then the provider connects, and from then on comes back by
 * itself until the server refuses for good.
 */
import { HocuspocusProvider } from "@hocuspocus/provider";
import { Doc } from "yjs";
import { DirectSocket } from "./direct-socket.ts";
import { EditCount } from "./edit-count.ts";
import type { Access } from "./copy-notes.ts";
import { LocalCopy } from "./local-copy.ts";
import { othersIn, type PersonHere } from "./people.ts";
import { type Refusal, refusalByClose, refusalFor, troubleFor } from "./reasons.ts";
import { type SavedStatus, savedStatus } from "./saved-status.ts";
import { SignedOut } from "./signed-out.ts";

/** Until the backend is asked for a token again, after it could not be reached, ms. */
const TOKEN_RETRY_MS = 3000;

export interface RoomOptions {
  /** Of the collaboration server, `ws://…`. */
  readonly url: string;
  readonly room: string;
  readonly userId: string;
  /** Called at each connect and before a token ends: fetches a fresh one. @throws SignedOut when only a new login helps */
  readonly token: () => Promise<string>;
}

export interface RoomState {
  readonly status: SavedStatus;
  /** Null until the server, or the copy of the last visit, has said it. */
  readonly access: Access | null;
  /** There is something to show: the copy of this device, or the room as it is. */
  readonly isLoaded: boolean;
  /** Edits that the server has not acknowledged. */
  readonly unsaved: number;
  /** Closing the page now would lose some of them. */
  readonly isAtRisk: boolean;
  readonly others: readonly PersonHere[];
}

export class Room {
  readonly document = new Doc();
  readonly provider: HocuspocusProvider;
  readonly #options: RoomOptions;
  readonly #socket: DirectSocket;
  readonly #edits = new EditCount();
  readonly #listeners = new Set<() => void>();
  #copy: LocalCopy | null = null;
  #access: Access | null = null;
  /** Not the provider's `isAuthenticated`: that ends also where a fresh token could not be had, of which the server knows nothing. */
  #isAdmitted = false;
  #refusal: Refusal | null = null;
  #why: string | null = null;
  #hasFailed = false;
  #hasSynced = false;
  #hasContent = false;
  /** Until an edit could not be written. */
  #copyIsComplete = true;
  /** What the others were shown of this page when it was left. */
  #shown: Record<string, unknown> | null = null;
  readonly #closed = new AbortController();
  #tokenRetry: ReturnType<typeof setTimeout> | undefined;
  #state: RoomState = {
    status: { kind: "connecting" },
    access: null,
    isLoaded: false,
    unsaved: 0,
    isAtRisk: false,
    others: [],
  };

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#socket = new DirectSocket({ url: options.url, autoConnect: false });
    const { signal } = this.#closed;
    // Before the provider, which says goodbye then. A page that the browser has kept, for its back button, is not loaded again and would stay unseen.
    addEventListener("pagehide", this.#remember, { signal });
    addEventListener("pageshow", this.#showAgain, { signal });
    // A browser's word about the network is a hint: without one, a server on this machine can still be reached.
    addEventListener("offline", this.#probe, { signal });
    addEventListener("online", this.#probe, { signal });
    this.provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: options.room,
      document: this.document,
      token: () => this.#token(),
    });
    this.#listen();
    void this.#open();
  }

  get awareness(): NonNullable<HocuspocusProvider["awareness"]> {
    // There is one: the provider was not told to do without.
    return this.provider.awareness as NonNullable<HocuspocusProvider["awareness"]>;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): RoomState => this.#state;

  /** Shows the others what is being edited here; null for nothing. */
  edit(id: string | null): void {
    this.awareness.setLocalStateField("editing", id);
    if (id === null) this.awareness.setLocalStateField("cursor", null);
  }

  /** Asks the server again after a refusal, with the document as it is. */
  retry(): void {
    this.#refusal = null;
    this.#socket.probe();
    this.#publish();
  }

  /** Deletes what this device has of the room, saved or not. The room has to be closed afterwards, and opened anew. */
  async forget(): Promise<void> {
    const copy = this.#copy;
    this.#copy = null;
    await copy?.forget();
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#tokenRetry);
    this.provider.destroy();
    this.#socket.destroy();
    void this.#copy?.close();
    this.document.destroy();
  }

  async #open(): Promise<void> {
    const { userId: user, room } = this.#options;
    const copy = await LocalCopy.open({ user, room, document: this.document });
    if (this.#closed.signal.aborted) {
      await copy?.close();
      return;
    }
    this.#copy = copy;
    if (copy) {
      this.#edits.resume(copy.found.unsaved);
      this.#access = copy.found.access;
      this.#hasContent = copy.found.isWhole || this.document.store.clients.size > 0;
    }
    this.document.on("update", this.#onUpdate);
    this.provider.attach();
    void this.#socket.connect();
    this.#publish();
  }

  #listen(): void {
    const { provider } = this;
    provider.on("authenticated", ({ scope }: { scope: string }) => this.#onAdmitted(scope));
    provider.on("authenticationFailed", ({ reason }: { reason: string }) => void this.#onRefused(reason));
    provider.on("disconnect", ({ event }: { event: CloseEvent }) => {
      this.#hasFailed = true;
      this.#isAdmitted = false;
      const refusal = refusalByClose(event);
      // Said while the provider comes back and sends the same: it would be closed for it again and again.
      if (refusal && !this.#refusal) return this.#end(refusal);
      this.#why = troubleFor(event.reason);
      this.#publish();
    });
    provider.on("synced", () => {
      this.#hasSynced = true;
      this.#copy?.notes.whole();
      this.#publish();
    });
    provider.on("unsyncedChanges", () => {
      if (this.#isAcknowledged && this.#edits.saved()) this.#copy?.notes.saved();
      this.#publish();
    });
    provider.on("status", () => this.#publish());
    provider.on("awarenessChange", () => this.#publish());
  }

  readonly #remember = (): void => {
    this.#shown = this.awareness.getLocalState();
  };

  readonly #showAgain = (): void => {
    if (this.#shown) this.awareness.setLocalState(this.#shown);
  };

  readonly #probe = (): void => {
    if (!this.#refusal && this.provider.isAttached) this.#socket.probe();
  };

  readonly #onUpdate = (
    _update: Uint8Array,
    _origin: unknown,
    _doc: Doc,
    transaction: { local: boolean },
  ): void => {
    if (!transaction.local) return;
    const edit = this.#edits.made();
    const copy = this.#copy;
    if (!copy) return this.#publish();
    copy.notes.unsaved(this.#edits.unsaved);
    void copy.written().then((isWritten) => {
      if (isWritten) this.#edits.kept(edit);
      else this.#copyIsComplete = false;
      this.#publish();
    });
    this.#publish();
  };

  get #isAcknowledged(): boolean {
    const { provider } = this;
    return this.#isAdmitted && provider.synced && !provider.hasUnsyncedChanges;
  }

  #onAdmitted(scope: string): void {
    this.#isAdmitted = true;
    this.#access = scope === "readonly" ? "read" : "write";
    this.#why = null;
    this.#copy?.notes.access(this.#access);
    this.#publish();
  }

  async #onRefused(reason: string): Promise<void> {
    // The token function's own error arrives here as well; #token has dealt with it.
    if (reason.startsWith("Failed to get token")) return;
    this.#isAdmitted = false;
    let refusal = refusalFor(reason);
    // "Signed out everywhere" and "removed from this board" look the same from here; the backend knows which it was.
    if (reason === "access-revoked" && !(await this.#hasSession())) refusal = refusalFor("token-invalid");
    if (!this.#closed.signal.aborted) this.#end(refusal);
  }

  async #hasSession(): Promise<boolean> {
    return this.#ask().then(
      () => true,
      (error: unknown) => !(error instanceof SignedOut),
    );
  }

  /** Rejects also where the page's function throws before it has a promise. */
  async #ask(): Promise<string> {
    return this.#options.token();
  }

  async #token(): Promise<string> {
    const { webSocket } = this.#socket;
    const asked = this.#ask();
    await asked.catch(() => {});
    // Too late: the socket that is there now asks for itself. Answered, the provider would begin a sync on it too, and miscount the acks of the edits since.
    if (webSocket !== this.#socket.webSocket) return new Promise(() => {});
    try {
      return await asked;
    } catch (error) {
      if (error instanceof SignedOut) this.#end(refusalFor("token-expired"));
      // Who is inside is asked again by the server while the token lasts.
      else if (!this.#isAdmitted) {
        this.#hasFailed = true;
        clearTimeout(this.#tokenRetry);
        this.#tokenRetry = setTimeout(this.#probe, TOKEN_RETRY_MS);
      }
      throw error;
    }
  }

  #end(refusal: Refusal): void {
    this.#refusal = refusal;
    this.#socket.disconnect();
    if (refusal.forgetCopy) void this.forget();
    this.#publish();
  }

  #publish(): void {
    if (this.#closed.signal.aborted) return;
    const hasCopy = this.#copy !== null && this.#copyIsComplete;
    const unsavedKept = hasCopy ? this.#edits.unsavedKept : 0;
    const status = savedStatus({
      refusal: this.#refusal,
      isAdmitted: this.#isAdmitted,
      hasFailed: this.#hasFailed,
      access: this.#access,
      isAcknowledged: this.#isAcknowledged,
      unsaved: this.#edits.unsaved,
      unsavedKept,
      hasCopy,
      why: this.#why,
    });
    const others = othersIn(this.awareness, this.#options.userId);
    const state = {
      status,
      access: this.#access,
      isLoaded: this.#hasSynced || this.#hasContent,
      unsaved: this.#edits.unsaved,
      // Of what went with the right to the room nothing can be saved any more.
      isAtRisk: this.#edits.unsaved > unsavedKept && !this.#refusal?.forgetCopy,
      others,
    };
    // Unchanged: nobody renders. Small and plain, so comparing the text is the cheapest that is right.
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
