/**
 * What members of a room send, in its order, each message type to its handler; what has none here goes to Hocuspocus.
 *
 * The types that are ours are so because of what Hocuspocus (4.7, MessageReceiver.ts) does with them; each handler says it. It also saves a
 * promise chain for each message where no extension has a hook for it.
 */
import type { HookName, MessageType } from "@hocuspocus/server";
import type * as decoding from "lib0/decoding";
import { closeReasons } from "../lib/close-reasons.ts";
import type { HandlingWatch } from "../limits/handling-watch.ts";
import { ClientLines } from "../lib/client-lines.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Rooms } from "../lib/rooms.ts";
import { MemberQueue } from "./member-queue.ts";
import type { Member } from "./member.ts";

/** One message type. What a handler throws closes the member that sent it: for good where it is a Refusal that says so. */
export interface MessageHandler {
  /** Hooks of Hocuspocus that a message of this type runs. */
  readonly hookNames: readonly HookName[];
  /** @param decoder behind the message type. */
  handle(member: Member, decoder: decoding.Decoder): void;
  /**
   * The same where an extension has one of the hooks.
   * @param timed runs what takes the event loop: waiting for hooks is not the client's fault.
   */
  handleWithHooks(
    member: Member,
    decoder: decoding.Decoder,
    timed: (handle: () => void) => void,
  ): Promise<void>;
}

export interface MemberMessagesOptions {
  readonly rooms: Pick<Rooms, "hasHook">;
  readonly log: Log;
  readonly handlers: ReadonlyMap<MessageType, MessageHandler>;
  readonly watch: Pick<HandlingWatch, "run">;
}

interface Arrived {
  readonly type: MessageType;
  readonly decoder: decoding.Decoder;
}

const hooksOfAll: readonly HookName[] = ["beforeHandleMessage", "afterHandleMessage"];

export class MemberMessages {
  readonly #lines: ClientLines;
  readonly #handlers: MemberMessagesOptions["handlers"];
  readonly #watch: MemberMessagesOptions["watch"];
  readonly #queue = new MemberQueue();
  /** Closed for what they sent: what still waits of them is not taken. */
  readonly #refused = new WeakSet<Member>();
  readonly #hasHooks: boolean;

  constructor({ rooms, log, handlers, watch }: MemberMessagesOptions) {
    this.#lines = new ClientLines(log);
    this.#watch = watch;
    this.#handlers = handlers;
    const hookNames = [...hooksOfAll, ...[...handlers.values()].flatMap((handler) => handler.hookNames)];
    // Once: extensions are given with the configuration, and every message would ask for each of them.
    this.#hasHooks = hookNames.some((name) => rooms.hasHook(name));
  }

  /** @param decoder of `message`, behind the message type. */
  receive(member: Member, message: Uint8Array, { type, decoder }: Arrived): void {
    const handler = this.#handlers.get(type);
    const arrived = { type, decoder, bytes: message.byteLength };
    if (!handler) this.#pass(member, message, arrived);
    else if (this.#hasHooks)
      this.#enqueue(member, message, () => this.#handleWithHooks(member, message, { handler, ...arrived }));
    else this.#watched(member, arrived, () => handler.handle(member, decoder));
  }

  /** To Hocuspocus, behind those messages that came before it. */
  #pass(member: Member, message: Uint8Array, arrived: Arrived & { readonly bytes: number }): void {
    const handle = (): void => this.#watched(member, arrived, () => member.handleMessage(message));
    if (this.#queue.isWaiting(member)) this.#enqueue(member, message, handle);
    else handle();
  }

  #watched(member: Member, arrived: Arrived & { readonly bytes: number }, handle: () => void): void {
    try {
      this.#watch.run(member, arrived, handle);
    } catch (error) {
      this.#refuse(member, error);
    }
  }

  #enqueue(member: Member, message: Uint8Array, handle: () => Promise<void> | void): void {
    try {
      this.#queue.add(member, message.byteLength, handle);
    } catch (error) {
      this.#refuse(member, error);
    }
  }

  async #handleWithHooks(
    member: Member,
    message: Uint8Array,
    { handler, decoder, ...arrived }: Arrived & { readonly handler: MessageHandler; readonly bytes: number },
  ): Promise<void> {
    const { callbacks } = member;
    try {
      await callbacks.beforeHandleMessage(member, message);
      // What somebody wrote who has left while it waited for hooks still counts.
      if (member.document.isDestroyed || this.#refused.has(member)) return;
      await handler.handleWithHooks(member, decoder, (handle) => this.#watch.run(member, arrived, handle));
    } catch (error) {
      this.#refuse(member, error);
      return;
    }
    // Reported by the guard; nothing depends on it.
    await callbacks.afterHandleMessage(member, message).catch(() => {});
  }

  #refuse(member: Member, error: unknown): void {
    const { code, reason } = error instanceof Refusal ? error : closeReasons.resetConnection;
    this.#lines.warn(
      { event: "message-refused", room: member.document.name, user: member.context.user?.id, err: error },
      `🚫 A message was not taken: ${error instanceof Error ? error.message : String(error)}`,
    );
    this.#refused.add(member);
    member.close({ code, reason });
  }
}
