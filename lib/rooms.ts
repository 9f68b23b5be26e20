/**
 * Hocuspocus as this server runs it. Three things are decided here and nowhere else:
 *
 * - Hooks run through the guard, and through a list compiled once a hook: stock filters all extensions and builds a promise chain for
 *   each of the six hooks of every message.
 * - A room leaves memory when nobody is in it and nobody *holds* it. Stock runs `beforeUnloadDocument` and then deletes; a hook that
 *   delays or vetoes there races with whoever comes in meanwhile (two live documents with one name, reproduced on 4.7). A hold is
 *   looked at in the same step that deletes the document, so there is no meanwhile.
 * - Nothing is stored by debounced `onStoreDocument`: the journal has every update already.
 */
import {
  Hocuspocus,
  type Configuration,
  type Connection,
  type Document,
  type Extension,
  type HookName,
  type onTokenSyncPayload,
} from "@hocuspocus/server";
import { closeReasons, type CloseReason } from "./close-reasons.ts";
import { hookNames, type Guard } from "./guard.ts";
import type { Identity } from "./identity.ts";
import { Refusal } from "./refusal.ts";
import { RoomArrivals, type Arriving } from "./room-arrivals.ts";

type HookPayload = {
  readonly documentName?: string;
  readonly document?: Document;
  readonly socketId?: string;
  readonly connection?: Connection;
  context?: object;
};

const DEFAULT_PRIORITY = 100;
const done = Promise.resolve();

export class Rooms extends Hocuspocus<Identity> {
  readonly #guard: Guard;
  readonly #holds = new Map<string, number>();
  readonly #arrivals = new RoomArrivals();
  #extensionsWith: ReadonlyMap<HookName, readonly Extension[]> = new Map();

  constructor({ guard, configuration }: { guard: Guard; configuration: Partial<Configuration<Identity>> }) {
    // Configured afterwards, because `configure` runs hooks and those need the fields above.
    super();
    this.#guard = guard;
    this.configure(configuration);
  }

  override configure(configuration: Partial<Configuration<Identity>>): this {
    // The order in which stock runs them: by priority, and as listed where it is equal.
    const extensions = (configuration.extensions ?? []).toSorted(
      (a, b) => (b.priority ?? DEFAULT_PRIORITY) - (a.priority ?? DEFAULT_PRIORITY),
    );
    this.#extensionsWith = new Map(
      hookNames.map((name) => [
        name,
        extensions.filter((extension) => typeof extension[name] === "function"),
      ]),
    );
    super.configure(configuration);
    return this;
  }

  /**
   * Keeps a room in memory until the returned function is called (once; later calls do nothing). When the last hold goes and
   * nobody is in the room, it unloads.
   */
  hold(room: string): () => void {
    this.#holds.set(room, (this.#holds.get(room) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (this.#holds.get(room) ?? 0) - 1;
      if (left > 0) {
        this.#holds.set(room, left);
        return;
      }
      this.#holds.delete(room);
      const document = this.documents.get(room);
      if (document) void this.unloadDocument(document);
    };
  }

  // Called by Hocuspocus synchronously before it deletes a document, which is what makes holds free of races.
  override shouldUnloadDocument(document: Document): boolean {
    // A document that was replaced must not take its successor along: Hocuspocus deletes by name.
    const isLive = this.documents.get(document.name) === document;
    return isLive && document.getConnectionsCount() === 0 && !this.#holds.has(document.name);
  }

  /**
   * A document on its way to a new connection is held until that is attached: Hocuspocus awaits between the two, and an unload in
   * between would leave the newcomer alone on a destroyed document.
   */
  override async createDocument(...parameters: Parameters<Hocuspocus["createDocument"]>): Promise<Document> {
    const [room, , socketId] = parameters;
    const release = this.hold(room);
    const loaded = this.#arrivals.loading(room, socketId);
    try {
      return await super.createDocument(...parameters);
    } finally {
      // After the microtasks in which Hocuspocus attaches the connection.
      setImmediate(release);
      loaded();
    }
  }

  /** How many are in a room, or let in and on their way into it: all, or of one user. */
  occupancy(room: string, user?: string): number {
    const connections = this.documents.get(room)?.getConnections() ?? [];
    const inside =
      user === undefined ? connections : connections.filter(({ context }) => context.user?.id === user);
    return inside.length + this.#arrivals.count(room, user);
  }

  /** Keeps a seat for a client that is let in, until it is in the room or gone. To be called by the last `onAuthenticate`. */
  admit(room: string, arriving: Arriving): void {
    this.#arrivals.admitted(room, arriving);
  }

  /** Whether any extension has this hook. */
  hasHook(name: HookName): boolean {
    return (this.#extensionsWith.get(name)?.length ?? 0) > 0;
  }

  /**
   * Takes a broken document out of memory together with everybody in it: the next who comes loads the room anew. Direct connections keep
   * the broken one and have to be opened again.
   */
  discard(document: Document, reasonFor: (connection: Connection<Identity>) => CloseReason): void {
    if (this.documents.get(document.name) === document) this.documents.delete(document.name);
    for (const connection of document.getConnections()) connection.close(reasonFor(connection));
    document.destroy();
  }

  override storeDocumentHooks(): Promise<void> {
    return done;
  }

  override hooks(
    name: HookName,
    payload: unknown,
    callback: ((result: unknown) => unknown) | null = null,
  ): Promise<unknown> {
    if (name === "connected") {
      const { documentName = "", socketId = "" } = payload as HookPayload;
      this.#arrivals.attached(documentName, socketId);
    }
    const extensions = this.#extensionsWith.get(name) ?? [];
    if (extensions.length === 0) return done;
    const running = this.#run(name, extensions, {
      payload: payload as HookPayload,
      // Stock makes a new object of it, which the connection does not get: `connection.context` and every hook's `context` are one here.
      callback: name === "onTokenSync" ? mergeInto((payload as onTokenSyncPayload).context) : callback,
    });
    // Stock awaits it while the name counts as unloading, and a room opened again meanwhile then never unloads.
    return name === "afterUnloadDocument" ? done : running;
  }

  async #run(
    name: HookName,
    extensions: readonly Extension[],
    { payload, callback }: { payload: HookPayload; callback: ((result: unknown) => unknown) | null },
  ): Promise<unknown> {
    let last: unknown;
    try {
      for (const extension of extensions) {
        last = await this.#guard.run(name, extension, payload);
        callback?.(last);
        // Stock shows it to the hooks after this one, and not to the extensions after this one.
        if (name === "onAuthenticate")
          payload.context = { ...payload.context, ...(last as object | undefined) };
      }
      // An edit of another instance has broken it meanwhile, and Hocuspocus would let everybody into what is left of it.
      if (name === "afterLoadDocument" && payload.document?.isDestroyed)
        throw new Refusal(closeReasons.roomReloaded);
      // Options for the new document, from `onCreateDocument`.
      return last;
    } catch (refusal) {
      // Hocuspocus forgets a document whose load failed without destroying it: its awareness timer would tick for ever.
      if (name === "onLoadDocument" || name === "afterLoadDocument") payload.document?.destroy();
      // It tells the client that it is refused, and leaves it in the room, where it would go on to hear everything.
      if (name === "connected" && refusal instanceof Refusal) payload.connection?.close(refusal);
      throw refusal;
    }
  }
}

function mergeInto(context: object): (additions: unknown) => void {
  return (additions) => void Object.assign(context, additions);
}
