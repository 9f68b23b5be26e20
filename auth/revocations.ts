/**
 * What the backend has ordered lately, for those who were on their way in at that moment: asked about before the order and answered after
 * it, or admitted and not yet in the room.
 *
 * And, where tokens alone decide (AUTH_MODE=jwt), which tokens are no good any more: those of a user that were issued before the revocation.
 * In memory, so a restart forgets it, as does time (MAX_AGE_MS) and number (MAX_REMEMBERED): a token that lives longer gets in again then.
 * Short-lived tokens, or a webhook, do not depend on this memory.
 */
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";

/** For each kind of order; a few MB. The oldest goes first. */
export const MAX_REMEMBERED = 10_000;

/** Longer than a token should live. */
export const MAX_AGE_MS = 24 * 3600 * 1000;

export type Order =
  | { readonly kind: "revoke" | "recheck"; readonly user: string }
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
  /** When each user's tokens were taken back, ms. */
  readonly #revokedAt = new Map<string, number>();

  record(order: Order): void {
    const moment = ++this.#now;
    if (order.kind === "kick") {
      const key = order.user === undefined ? roomKey(order.room) : memberKey(order.room, order.user);
      this.#remember(key, { moment, reason: closeReasons.kicked });
      return;
    }
    const isRevoked = order.kind === "revoke";
    this.#remember(userKey(order.user), { moment, reason: isRevoked ? closeReasons.accessRevoked : null });
    if (!isRevoked) return;
    this.#revokedAt.delete(order.user);
    this.#revokedAt.set(order.user, Date.now());
    if (this.#revokedAt.size > MAX_REMEMBERED) this.#revokedAt.delete(oldestKey(this.#revokedAt));
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
    const newest = [userKey(user), roomKey(room), memberKey(room, user)]
      .flatMap((key) => this.#entries.get(key) ?? [])
      .filter((entry) => entry.moment > moment)
      .toSorted((a, b) => b.moment - a.moment)[0];
    if (newest) return newest.reason ?? "ask-again";
    return moment < this.#forgottenUntil ? "ask-again" : null;
  }

  /**
   * Whether a token of this user is from before a revocation.
   * @param issuedAt the `iat` claim, whole seconds: a token of the same second may be from before, so it is taken for that. One without
   *   the claim is too.
   */
  covers(user: string, issuedAt: number | undefined): boolean {
    const revokedAt = this.#revokedAt.get(user);
    if (revokedAt === undefined) return false;
    if (Date.now() - revokedAt > MAX_AGE_MS) {
      this.#revokedAt.delete(user);
      return false;
    }
    return issuedAt === undefined || issuedAt <= Math.floor(revokedAt / 1000);
  }

  #remember(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= MAX_REMEMBERED) return;
    const oldest = oldestKey(this.#entries);
    this.#forgottenUntil = this.#entries.get(oldest)?.moment ?? this.#forgottenUntil;
    this.#entries.delete(oldest);
  }
}

/** Maps keep the order in which keys were added. */
function oldestKey(map: ReadonlyMap<string, unknown>): string {
  return map.keys().next().value ?? "";
}

const userKey = (user: string): string => `user\0${user}`;
const roomKey = (room: string): string => `room\0${room}`;
const memberKey = (room: string, user: string): string => `member\0${room}\0${user}`;
