/**
 * The Sync messages (y-protocols/sync) of everybody who is in a room, in place of Hocuspocus' own handling, which acknowledges whatever
 * came: truncated updates, updates that wait for others, updates of a document that is broken (4.7, MessageReceiver.ts). Here an ack is
 * sent for what is in the document, and by the client socket once it is on disk.
 *
 * It also saves a promise chain for each message where no extension has a hook for it.
 */
import { OutgoingMessage, type Connection, type Document, type HookName } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate, writeSyncStep2 } from "y-protocols/sync";
import * as Y from "yjs";
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Rooms } from "../lib/rooms.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import { ClientIds } from "./client-ids.ts";
import { nestsTooDeeply } from "./nesting.ts";
import {
  isContained,
  isIntegrated,
  lacksPredecessors,
  readContents,
  type UpdateContents,
} from "./update-contents.ts";

export interface SyncMessagesOptions {
  readonly rooms: Rooms;
  readonly log: Log;
  /** Sends a client what it lacks, without the event loop's help; null where the document is small enough to be asked itself. */
  readonly answer: (connection: Connection<Identity>, stateVector: Uint8Array) => Promise<void> | null;
}

type Member = Connection<Identity>;

const hookNames: readonly HookName[] = ["beforeHandleMessage", "beforeSync", "afterHandleMessage"];

export class SyncMessages {
  readonly #options: SyncMessagesOptions;
  readonly #clientIds = new ClientIds();
  /** Acks that a connection is owed for edits whose predecessors it has been asked for. */
  readonly #owed = new WeakMap<Member, number>();
  /** Closed for what they sent; their socket may bring more before it is gone. */
  readonly #refused = new WeakSet<Member>();
  readonly #queues = new WeakMap<Member, Promise<void>>();

  readonly #hasHooks: boolean;

  constructor(options: SyncMessagesOptions) {
    this.#options = options;
    // Once: extensions are given with the configuration, and every message would ask for each of the three.
    this.#hasHooks = hookNames.some((name) => options.rooms.hasHook(name));
  }

  /** @param decoder of `message`, behind the message type. */
  receive(connection: Member, message: Uint8Array, decoder: decoding.Decoder): void {
    if (!this.#hasHooks) {
      this.#attempt(connection, () => this.#handle(connection, decoder));
      return;
    }
    const release = this.#options.rooms.hold(connection.document.name);
    const queue = this.#queues.get(connection) ?? Promise.resolve();
    this.#queues.set(
      connection,
      queue.then(() => this.#handleWithHooks(connection, message, decoder)).finally(release),
    );
  }

  async #handleWithHooks(connection: Member, message: Uint8Array, decoder: decoding.Decoder): Promise<void> {
    const { callbacks } = connection;
    try {
      await callbacks.beforeHandleMessage(connection, message);
      const peeking = decoding.clone(decoder);
      const type = decoding.readVarUint(peeking);
      await callbacks.beforeSync(connection, { type, payload: decoding.readVarUint8Array(peeking) });
    } catch (error) {
      this.#close(connection, error);
      return;
    }
    this.#attempt(connection, () => this.#handle(connection, decoder));
    // Reported by the guard; nothing depends on it.
    await callbacks.afterHandleMessage(connection, message).catch(() => {});
  }

  #attempt(connection: Member, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#close(connection, error);
    }
  }

  #close(connection: Member, error: unknown): void {
    const { code, reason } = error instanceof Refusal ? error : closeReasons.resetConnection;
    this.#options.log.warn(
      {
        event: "message-refused",
        room: connection.document.name,
        user: connection.context.user?.id,
        err: error,
      },
      `🚫 A message was not taken: ${error instanceof Error ? error.message : String(error)}`,
    );
    this.#refused.add(connection);
    connection.close({ code, reason });
  }

  #handle(connection: Member, decoder: decoding.Decoder): void {
    // What somebody wrote who has left meanwhile still counts.
    if (connection.document.isDestroyed || this.#refused.has(connection)) return;
    const type = decoding.readVarUint(decoder);
    const payload = decoding.readVarUint8Array(decoder);
    switch (type) {
      case messageYjsSyncStep1:
        this.#answer(connection, payload);
        break;
      case messageYjsSyncStep2:
        this.#takeUpdate(connection, payload, { isWholeState: true });
        break;
      case messageYjsUpdate:
        this.#takeUpdate(connection, payload, { isWholeState: false });
        break;
      default:
        throw new Error(`Sync message of unknown type ${type}`);
    }
  }

  #answer(connection: Member, stateVector: Uint8Array): void {
    const answered = this.#options.answer(connection, stateVector);
    if (!answered) {
      this.#askForState(connection);
      sendState(connection, stateVector);
      return;
    }
    // Asked afterwards: a provider whose own state has been acknowledged calls itself synced, whether or not it has the room's.
    void answered
      .catch((error: unknown) => {
        const fields = { event: "answer-failed", room: connection.document.name, err: error };
        this.#options.log.warn(fields, "The store did not answer a first sync");
        if (connection.document.hasConnection(connection)) sendState(connection, stateVector);
      })
      .then(() => {
        if (connection.document.hasConnection(connection)) this.#askForState(connection);
      });
  }

  /** @param isWholeState the client sent all it has beyond what the server said to have, not only its last edit. */
  #takeUpdate(connection: Member, update: Uint8Array, { isWholeState }: { isWholeState: boolean }): void {
    const { document } = connection;
    const contents = readContents(update);
    if (connection.readOnly) {
      const isHarmless = isWholeState && isContained(document, contents);
      if (isHarmless) acknowledge(connection);
      else connection.send(statusMessage(connection, false));
      return;
    }
    if (this.#clientIds.isForeign(contents, connection)) {
      throw new Error("An update in the name of somebody else's client id");
    }
    if (nestsTooDeeply(document, contents)) throw new Refusal(closeReasons.updateRejected);
    // An edit on top of something that never arrived: the client is asked for all it has, which is then taken as far as it goes.
    if (!isWholeState && lacksPredecessors(document, contents)) {
      this.#owe(connection);
      return;
    }
    if (!isWholeState) this.#clientIds.claim(contents, connection);
    const before = pendingOf(document);
    const failure = apply(document, update, connection);
    if (isDead(document)) {
      this.#discard(document, { culprit: connection, failure });
      return;
    }
    if (failure) throw failure;
    if (isIntegrated(document, contents) || (isWholeState && wasPending(document, before, contents))) {
      acknowledge(connection, isWholeState ? 1 + (this.#owed.get(connection) ?? 0) : 1);
      if (isWholeState) this.#owed.delete(connection);
      return;
    }
    // Nothing that a client sends stays pending: it would cost memory and time at every later edit, for as long as the room is open.
    document.store.pendingStructs = before.pendingStructs;
    document.store.pendingDs = before.pendingDs;
    if (!isWholeState) this.#owe(connection);
  }

  /** Withholds an ack, and asks the client for what is missing: once, whatever it sends until it answers. */
  #owe(connection: Member): void {
    const owed = this.#owed.get(connection) ?? 0;
    this.#owed.set(connection, owed + 1);
    if (owed === 0) this.#askForState(connection);
  }

  #askForState(connection: Member): void {
    const message = new OutgoingMessage(connection.messageAddress)
      .createSyncMessage()
      .writeFirstSyncStepFor(connection.document);
    connection.send(message.toUint8Array());
  }

  #discard(document: Document, { culprit, failure }: { culprit: Member; failure: Error | null }): void {
    // Too deep for the stack: the same edit would break it again. Anything else may have been an extension's fault.
    const isFinal = failure instanceof RangeError;
    this.#options.log.error(
      { event: "room-broken", room: document.name, user: culprit.context.user?.id, err: failure },
      `🚑 An edit broke ${document.name}; it is loaded again from what is saved`,
    );
    this.#options.rooms.discard(document, (connection): CloseReason =>
      isFinal && connection === culprit ? closeReasons.updateRejected : closeReasons.roomReloaded,
    );
  }
}

type Pending = Pick<Y.Doc["store"], "pendingStructs" | "pendingDs">;

function pendingOf({ store }: Y.Doc): Pending {
  return { pendingStructs: store.pendingStructs, pendingDs: store.pendingDs };
}

/**
 * Whether what could not be integrated is a hole that the stored room has: whoever loads it knows it too, and sends it along. To leave that
 * unacknowledged would show everybody in the room unsaved edits for ever.
 */
function wasPending(
  { store }: Y.Doc,
  { pendingStructs, pendingDs }: Pending,
  { ends }: UpdateContents,
): boolean {
  if (!pendingStructs && !pendingDs) return false;
  const known = pendingStructs && readContents(Y.convertUpdateFormatV2ToV1(pendingStructs.update)).ends;
  return [...ends].every(
    ([client, end]) => end <= Math.max(Y.getState(store, client), known?.get(client) ?? 0),
  );
}

/** y-protocols would swallow what Yjs throws. */
function apply(document: Document, update: Uint8Array, connection: Member): Error | null {
  try {
    Y.applyUpdate(document, update, { source: "connection", connection });
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * A throw in the end of a transaction leaves it in the list of those to be ended, and Yjs (13.6) waits for ever for its turn: the document
 * takes edits and tells nobody, neither the other clients nor the journal.
 */
function isDead(document: Document): boolean {
  return document._transaction === null && document._transactionCleanups.length > 0;
}

function sendState(connection: Member, stateVector: Uint8Array): void {
  const message = new OutgoingMessage(connection.messageAddress).createSyncMessage();
  writeSyncStep2(message.encoder, connection.document, stateVector);
  connection.send(message.toUint8Array());
}

function acknowledge(connection: Member, count = 1): void {
  if (connection.webSocket instanceof ClientSocket) connection.webSocket.acknowledge(connection, count);
}

function statusMessage(connection: Member, isSaved: boolean): Uint8Array {
  return new OutgoingMessage(connection.messageAddress).writeSyncStatus(isSaved).toUint8Array();
}
