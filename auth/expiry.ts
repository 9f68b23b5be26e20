/**
 * Ends rights when they run out, and asks for a fresh token before.
 *
 * Compared with the wall clock at each sweep instead of one timer a right: a machine that slept, or a clock that was set, changes when
 * something is noticed and nothing else.
 */
import { closeReasons } from "../lib/close-reasons.ts";
import type { Member } from "../members/member.ts";
import type { Right } from "./right.ts";
import type { Rights } from "./rights.ts";
import { CLOCK_TOLERANCE_SECONDS } from "./token-verifier.ts";

export interface ExpiryOptions {
  readonly rights: Iterable<Right> & Pick<Rights, "putOut">;
  /** How long before the end a fresh token is asked for, ms. */
  readonly leadMs: number;
  /** Whether a fresh token of this member has come and could not be checked so far. */
  readonly awaitsAnswer: (member: Member) => boolean;
}

/** With less than this left there is no time for another question after this one. */
const WORTH_ASKING_MS = 5000;

interface Asked {
  /** The end that it was about; of the wall clock, as the other, ms. */
  readonly endMs: number;
  readonly againAt: number;
}

export class Expiry {
  readonly #options: ExpiryOptions;
  /** By member, not by right: a tab that comes with the same token later has not been asked yet. */
  readonly #asked = new WeakMap<Member, Asked>();

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  sweep(now = Date.now()): void {
    for (const right of this.#options.rights) {
      const { expiresAt } = right.identity;
      if (expiresAt === undefined) continue;
      // The same tolerance as at the door: a token that has just ended here would otherwise be let in again at once.
      if (now >= (expiresAt + CLOCK_TOLERANCE_SECONDS) * 1000) this.#end(right);
      else if (now >= this.#askAt(right, expiresAt * 1000))
        for (const member of right.members) this.#ask(member, { endMs: expiresAt * 1000, now });
    }
  }

  /**
   * Spread over half the lead, so that a backend that gave out ten thousand tokens in one minute is not asked for all of them in one second;
   * and not before half the time is over, so that a token of seconds is not asked for all the time.
   */
  #askAt({ confirmedAt, phase }: Right, endMs: number): number {
    const half = confirmedAt + (endMs - confirmedAt) / 2;
    return Math.max(endMs - this.#options.leadMs * (1 - phase / 2), half);
  }

  /** Once more at half of what is left, and so on: a provider that still had its old token cached may have another by then. */
  #ask(member: Member, { endMs, now }: { readonly endMs: number; readonly now: number }): void {
    const asked = this.#asked.get(member);
    if (asked?.endMs === endMs && now < asked.againAt) return;
    const leftMs = endMs - now;
    this.#asked.set(member, { endMs, againAt: leftMs < WORTH_ASKING_MS ? Infinity : now + leftMs / 2 });
    member.requestToken();
  }

  #end(right: Right): void {
    const { rights, awaitsAnswer } = this.#options;
    for (const member of right.members)
      rights.putOut(
        member,
        awaitsAnswer(member) ? closeReasons.authUnavailable : closeReasons.sessionExpired,
      );
  }
}
