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
import { FirstSyncs, type FirstSyncsOptions } from "./first-syncs.ts";
import { MemberQueue } from "./member-queue.ts";
import type { Member } from "./replies.ts";
import { StateQuestions } from "./state-questions.ts";
import { UpdateIntake } from "./update-intake.ts";

export interface SyncMessagesOptions {
  readonly rooms: Rooms;
  readonly log: Log;
  readonly answer: FirstSyncsOptions["answer"];
}

const hookNames: readonly HookName[] = ["beforeHandleMessage", "beforeSync", "afterHandleMessage"];

export class SyncMessages {
  readonly #options: SyncMessagesOptions;
  readonly #firstSyncs: FirstSyncs;
  readonly #intake: UpdateIntake;
  readonly #queue = new MemberQueue();
  /** Closed for what they sent: what still waits of them is not taken. */
  readonly #refused = new WeakSet<Member>();
  readonly #hasHooks: boolean;

  constructor(options: SyncMessagesOptions) {
    this.#options = options;
    const questions = new StateQuestions();
    this.#firstSyncs = new FirstSyncs({ ...options, questions });
    this.#intake = new UpdateIntake({ ...options, questions });
    // Once: extensions are given with the configuration, and every message would ask for each of the three.
    this.#hasHooks = hookNames.some((name) => options.rooms.hasHook(name));
  }

  /** @param decoder of `message`, behind the message type. */
  receive(member: Member, message: Uint8Array, decoder: decoding.Decoder): void {
    if (this.#hasHooks)
      this.#enqueue(member, message, () => this.#attemptWithHooks(member, message, decoder));
    else this.#attempt(member, decoder);
  }

  /** A message of another type, which Hocuspocus handles: behind those Sync messages that came before it. */
  pass(member: Member, message: Uint8Array): void {
    const handle = (): void => member.handleMessage(message);
    if (this.#queue.isWaiting(member)) this.#enqueue(member, message, handle);
    else handle();
  }

  #enqueue(member: Member, message: Uint8Array, handle: () => Promise<void> | void): void {
    try {
      this.#queue.add(member, message.byteLength, handle);
    } catch (error) {
      this.#refuse(member, error);
    }
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
    // What somebody wrote who has left while it waited for hooks still counts.
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
        this.#firstSyncs.answer(member, payload);
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
