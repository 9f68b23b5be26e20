/**
 * Watches how long the event loop is taken by what each client sends: everybody else waits meanwhile. What takes long is named, room and user,
 * and a client that has used up its time is cut off for good, at its next message and before that is looked at.
 */
import { MessageType } from "@hocuspocus/server";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Member } from "../members/member.ts";
import { ClientSocket } from "../transport/client-socket.ts";

/** Three frames of a screen: what somebody in another room begins to see. */
export const SLOW_MS = 50;

export interface HandlingWatchOptions {
  readonly log: Log;
  readonly onSlow: (room: string) => void;
}

export class HandlingWatch {
  readonly #options: HandlingWatchOptions;

  constructor(options: HandlingWatchOptions) {
    this.#options = options;
  }

  /**
   * Handles one message, without a wait in it.
   * @throws what `handle` throws; Refusal, and nothing is handled, when the client's time is used up.
   */
  run(
    member: Member,
    { type, bytes }: { readonly type: MessageType; readonly bytes: number },
    handle: () => void,
  ): void {
    const sender = member.webSocket instanceof ClientSocket ? member.webSocket.sender : null;
    const startedAt = performance.now();
    if (sender?.isTooCostly(startedAt)) throw new Refusal(closeReasons.tooCostly);
    try {
      handle();
    } finally {
      const endedAt = performance.now();
      const ms = endedAt - startedAt;
      sender?.handlingTook(ms, endedAt);
      if (ms >= SLOW_MS) this.#report(member, { type: MessageType[type], ms: Math.round(ms), bytes });
    }
  }

  #report(
    member: Member,
    details: { readonly type: string; readonly ms: number; readonly bytes: number },
  ): void {
    const room = member.document.name;
    this.#options.onSlow(room);
    this.#options.log.warn(
      { event: "slow-message", room, user: member.context.user?.id, ...details },
      `🐢 A message to ${room} took ${details.ms} ms`,
    );
  }
}
