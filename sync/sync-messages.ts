/**
 * The Sync messages (y-protocols/sync) of everybody who is in a room, in place of Hocuspocus' own handling, which acknowledges whatever
 * came: truncated updates, updates that wait for others, updates of a document that is broken (4.7, MessageReceiver.ts).
 *
 * It also saves a promise chain for each message where no extension has a hook for it.
 */
import type { HookName } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Rooms } from "../lib/rooms.ts";
import { askForState, sendState, type Member } from "./replies.ts";
import { UpdateIntake } from "./update-intake.ts";

export interface SyncMessagesOptions {
  readonly rooms: Rooms;
  readonly log: Log;
  /** Sends a client what it lacks, without the event loop's help; null where the document is small enough to be asked itself. */
  readonly answer: (member: Member, stateVector: Uint8Array) => Promise<void> | null;
}

const hookNames: readonly HookName[] = ["beforeHandleMessage", "beforeSync", "afterHandleMessage"];

export class SyncMessages {
  readonly #options: SyncMessagesOptions;
  readonly #intake: UpdateIntake;
  /** Closed for what they sent; their socket may bring more before it is gone. */
  readonly #refused = new WeakSet<Member>();
  readonly #queues = new WeakMap<Member, Promise<void>>();
  readonly #hasHooks: boolean;

  constructor(options: SyncMessagesOptions) {
    this.#options = options;
    this.#intake = new UpdateIntake(options);
    // Once: extensions are given with the configuration, and every message would ask for each of the three.
    this.#hasHooks = hookNames.some((name) => options.rooms.hasHook(name));
  }

  /** @param decoder of `message`, behind the message type. */
  receive(member: Member, message: Uint8Array, decoder: decoding.Decoder): void {
    if (!this.#hasHooks) {
      this.#attempt(member, decoder);
      return;
    }
    const release = this.#options.rooms.hold(member.document.name);
    const queue = this.#queues.get(member) ?? Promise.resolve();
    this.#queues.set(
      member,
      queue.then(() => this.#attemptWithHooks(member, message, decoder)).finally(release),
    );
  }

  async #attemptWithHooks(member: Member, message: Uint8Array, decoder: decoding.Decoder): Promise<void> {
    const { callbacks } = member;
    try {
      await callbacks.beforeHandleMessage(member, message);
      const peeking = decoding.clone(decoder);
      const type = decoding.readVarUint(peeking);
      await callbacks.beforeSync(member, { type, payload: decoding.readVarUint8Array(peeking) });
    } catch (error) {
      this.#refuse(member, error);
      return;
    }
    this.#attempt(member, decoder);
    // Reported by the guard; nothing depends on it.
    await callbacks.afterHandleMessage(member, message).catch(() => {});
  }

  #attempt(member: Member, decoder: decoding.Decoder): void {
    // What somebody wrote who has left meanwhile still counts.
    if (member.document.isDestroyed || this.#refused.has(member)) return;
    try {
      this.#handle(member, decoder);
    } catch (error) {
      this.#refuse(member, error);
    }
  }

  #handle(member: Member, decoder: decoding.Decoder): void {
    const type = decoding.readVarUint(decoder);
    const payload = decoding.readVarUint8Array(decoder);
    switch (type) {
      case messageYjsSyncStep1:
        this.#answer(member, payload);
        break;
      case messageYjsSyncStep2:
        this.#intake.takeState(member, payload);
        break;
      case messageYjsUpdate:
        this.#intake.takeEdit(member, payload);
        break;
      default:
        throw new Error(`Sync message of unknown type ${type}`);
    }
  }

  #answer(member: Member, stateVector: Uint8Array): void {
    const answered = this.#options.answer(member, stateVector);
    if (!answered) {
      askForState(member);
      sendState(member, stateVector);
      return;
    }
    // Asked afterwards: a provider whose own state has been acknowledged calls itself synced, whether or not it has the room's.
    void answered
      .catch((error: unknown) => {
        const fields = { event: "answer-failed", room: member.document.name, err: error };
        this.#options.log.warn(fields, "The store did not answer a first sync");
        if (member.document.hasConnection(member)) sendState(member, stateVector);
      })
      .then(() => {
        if (member.document.hasConnection(member)) askForState(member);
      });
  }

  #refuse(member: Member, error: unknown): void {
    const { code, reason } = error instanceof Refusal ? error : closeReasons.resetConnection;
    this.#options.log.warn(
      { event: "message-refused", room: member.document.name, user: member.context.user?.id, err: error },
      `🚫 A message was not taken: ${error instanceof Error ? error.message : String(error)}`,
    );
    this.#refused.add(member);
    member.close({ code, reason });
  }
}
