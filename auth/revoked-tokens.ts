/**
 * Where tokens alone decide (AUTH_MODE=jwt): which are no good any more, those of a user that were issued before the revocation.
 *
 * A token says by the backend's clock when it was issued. An order that carries the time of that clock (`before`) is exact. One that does not
 * is taken to be from now by ours, and of a token of about now nobody can say whether it is older: it is sent back for another one.
 *
 * In memory, so a restart forgets it, as does time (MAX_AGE_MS) and number (MAX_REVOKED_USERS): a token that lives longer gets in again then.
 * Short-lived tokens, or a webhook, do not depend on this memory.
 */
import { CLOCK_TOLERANCE_SECONDS } from "./token-verifier.ts";

/** A few MB. The oldest goes first. */
export const MAX_REVOKED_USERS = 10_000;

/** Longer than a token should live. */
const MAX_AGE_MS = 24 * 3600 * 1000;

/**
 * Who has another token has come with it by then. Whoever still shows the same one has no other, and would ask once a second for as long
 * as the page is open.
 */
const UNSURE_SECONDS = 60;

/** Unix seconds, of the backend's clock as far as it is known. */
interface Bounds {
  /** Tokens up to here are void. */
  readonly sureUntil: number;
  /** Those up to here may be. */
  readonly unsureUntil: number;
  /** Of our clock, ms. */
  readonly recordedAt: number;
}

export class RevokedTokens {
  readonly #bounds = new Map<string, Bounds>();

  /**
   * @param before unix seconds: the backend's time when it revoked. A later order for the same user only raises what an earlier one has set.
   */
  revoke(user: string, before?: number): void {
    const now = Date.now();
    const tolerance = before === undefined ? CLOCK_TOLERANCE_SECONDS : 0;
    const until = before ?? Math.floor(now / 1000);
    const earlier = this.#bounds.get(user);
    this.#bounds.delete(user);
    this.#bounds.set(user, {
      sureUntil: Math.max(until - tolerance, earlier?.sureUntil ?? 0),
      unsureUntil: Math.max(until + tolerance, earlier?.unsureUntil ?? 0),
      recordedAt: now,
    });
    if (this.#bounds.size > MAX_REVOKED_USERS) this.#bounds.delete(this.#bounds.keys().next().value ?? "");
  }

  /**
   * @param issuedAt the `iat` claim: a token of the same second may be from before, so it is taken for that. One without the claim is too.
   */
  judge(user: string, issuedAt: number | undefined): "good" | "unsure" | "void" {
    const bounds = this.#bounds.get(user);
    if (!bounds) return "good";
    const now = Date.now();
    if (now - bounds.recordedAt > MAX_AGE_MS) {
      this.#bounds.delete(user);
      return "good";
    }
    if (issuedAt === undefined) return "void";
    const issuedSecond = Math.floor(issuedAt);
    if (issuedSecond > bounds.unsureUntil) return "good";
    if (issuedSecond <= bounds.sureUntil) return "void";
    return now - bounds.recordedAt < UNSURE_SECONDS * 1000 ? "unsure" : "void";
  }
}
