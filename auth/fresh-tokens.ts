/**
 * Tokens that members send from inside (TokenSync): asked for before their right ends, or unasked, because the frontend has a better one. A good
 * one of the same user replaces the one before, with everything that it says; a bad one ends the stay.
 */
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Member } from "../members/member.ts";
import { MAX_TOKEN_LENGTH, type Admission } from "./admission.ts";
import { reasonInside } from "./refused-inside.ts";
import type { Rights } from "./rights.ts";
import { Turns } from "./turns.ts";

export interface FreshTokensOptions {
  readonly rights: Rights;
  readonly admit: Admission;
  readonly log: Log;
}

/** A member that floods us with tokens costs the backend no more than this; of those that come meanwhile the newest is kept. */
const CHECK_EVERY_MS = 1000;

/** The backend did not answer: the same token is shown to it again after this, as long as the right lasts. */
const RETRY_AFTER_MS = 3000;

/** Of the 64 questions that may be under way at once: thousands who send tokens must not keep those waiting who log in. */
const MAX_QUESTIONS = 16;

interface Offer {
  waiting: string | null;
  isChecking: boolean;
  /** Of the process' clock, ms. */
  nextCheckAt: number;
}

export class FreshTokens {
  readonly #options: FreshTokensOptions;
  readonly #turns = new Turns({ atOnce: MAX_QUESTIONS });
  readonly #offers = new Map<Member, Offer>();

  constructor(options: FreshTokensOptions) {
    this.#options = options;
  }

  /** A member has sent a token. */
  offer(member: Member, token: string): void {
    const { rights } = this.#options;
    const right = rights.of(member);
    // Put out meanwhile; or a provider with a constant token, which is no news.
    if (!right || token === right.attempt.token) return;
    if (token.length > MAX_TOKEN_LENGTH) {
      rights.putOut(member, closeReasons.tokenInvalid);
      return;
    }
    const offer = this.#offers.get(member) ?? { waiting: null, isChecking: false, nextCheckAt: 0 };
    this.#offers.set(member, offer);
    offer.waiting = token;
    this.#checkIfDue(member, offer);
  }

  /** Whether a token of this member has not been decided on yet. */
  awaitsAnswer(member: Member): boolean {
    const offer = this.#offers.get(member);
    return offer !== undefined && (offer.isChecking || offer.waiting !== null);
  }

  /** To be called about once a second: takes what waits, and forgets who has left. */
  sweep(): void {
    for (const [member, offer] of this.#offers) {
      const isIdle = offer.waiting === null && !offer.isChecking && performance.now() >= offer.nextCheckAt;
      if (isIdle || !this.#options.rights.of(member)) this.#offers.delete(member);
      else this.#checkIfDue(member, offer);
    }
  }

  #checkIfDue(member: Member, offer: Offer): void {
    const token = offer.waiting;
    if (token === null || offer.isChecking || performance.now() < offer.nextCheckAt) return;
    offer.waiting = null;
    offer.isChecking = true;
    // Never rejects.
    void this.#turns
      .take({ lane: "offered" }, () => this.#check(member, token))
      .then((isAnswered) => {
        offer.isChecking = false;
        offer.nextCheckAt = performance.now() + (isAnswered ? CHECK_EVERY_MS : RETRY_AFTER_MS);
        if (!isAnswered) offer.waiting ??= token;
      });
  }

  /** Returns whether the backend has answered. */
  async #check(member: Member, token: string): Promise<boolean> {
    const { rights, admit, log } = this.#options;
    const before = rights.of(member);
    if (!before) return true;
    const attempt = { ...before.attempt, token };
    const fields = { room: attempt.room, user: before.identity.user.id };
    try {
      const identity = await admit(attempt, { user: fields.user });
      if (!rights.of(member)) return true;
      if (identity.user.id === fields.user) {
        rights.renew(member, { attempt, identity, confirmedAt: Date.now() });
        log.debug({ event: "renewed", ...fields }, `🔐 ${fields.user} has a fresh token`);
        return true;
      }
      log.warn(
        { event: "foreign-token", ...fields, tokenOf: identity.user.id },
        `🚫 ${fields.user} sent a token of ${identity.user.id}`,
      );
      rights.putOut(member, closeReasons.tokenInvalid);
    } catch (error) {
      if (!(error instanceof Refusal) || error.retry) {
        log.warn({ event: "recheck-failed", ...fields, err: error }, "A fresh token could not be checked");
        return false;
      }
      if (rights.of(member)) rights.putOut(member, reasonInside(error));
    }
    return true;
  }
}
