/**
 * What the backend has ordered lately, for those who were on their way in at that moment: asked about before the order and answered after
 * it, or admitted and not yet in the room. And which tokens are no good any more.
 */
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import { RevokedTokens } from "./revoked-tokens.ts";

/** For each kind of order; a few MB. The oldest goes first. */
export const MAX_REMEMBERED = 10_000;

export type Order =
  | {
      readonly kind: "revoke";
      readonly user: string;
      /** When, by the backend's clock, unix seconds. */
      readonly before?: number;
    }
  | { readonly kind: "recheck"; readonly user: string }
  | { readonly kind: "kick"; readonly room: string; readonly user?: string };

/** A place in the sequence of orders. */
export type Moment = number;

interface Entry {
  readonly moment: Moment;
  readonly reason: CloseReason | null;
}

export class Revocations {
  #now: Moment = 0;
  readonly #entries = new Map<string, Entry>();
  /** Orders up to here may be forgotten. */
  #forgottenUntil: Moment = 0;
  readonly tokens = new RevokedTokens();

  record(order: Order): void {
    const moment = ++this.#now;
    if (order.kind === "kick") {
      const key = order.user === undefined ? roomKey(order.room) : memberKey(order.room, order.user);
      this.#remember(key, { moment, reason: closeReasons.kicked });
      return;
    }
    if (order.kind === "recheck") {
      this.#remember(recheckKey(order.user), { moment, reason: null });
      return;
    }
    this.#remember(userKey(order.user), { moment, reason: closeReasons.accessRevoked });
    this.tokens.revoke(order.user, order.before);
  }

  now(): Moment {
    return this.#now;
  }

  /**
   * What was ordered about this user in this room since then: the reason to put them out, `ask-again` where an earlier answer of the backend
   * is no longer to be relied on, or null.
   */
  since(
    moment: Moment,
    { user, room }: { readonly user: string; readonly room: string },
  ): CloseReason | "ask-again" | null {
    const entries = [userKey(user), roomKey(room), memberKey(room, user), recheckKey(user)]
      .flatMap((key) => this.#entries.get(key) ?? [])
      .filter((entry) => entry.moment > moment)
      .toSorted((a, b) => b.moment - a.moment);
    // Whoever was to go is gone, whatever was to be asked about afterwards: so are those who were inside.
    const reason = entries.find((entry) => entry.reason !== null)?.reason;
    if (reason) return reason;
    return entries.length > 0 || moment < this.#forgottenUntil ? "ask-again" : null;
  }

  #remember(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= MAX_REMEMBERED) return;
    // Maps keep the order in which keys were added.
    const oldest = this.#entries.keys().next().value ?? "";
    this.#forgottenUntil = this.#entries.get(oldest)?.moment ?? this.#forgottenUntil;
    this.#entries.delete(oldest);
  }
}

const userKey = (user: string): string => `user\0${user}`;
const recheckKey = (user: string): string => `recheck\0${user}`;
const roomKey = (room: string): string => `room\0${room}`;
const memberKey = (room: string, user: string): string => `member\0${room}\0${user}`;
