/**
 * A token bucket: what may be done at once, and how fast that comes back. It answers, and never waits.
 *
 * Of our own because it stands before each message: libraries for this answer with a promise (rate-limiter-flexible), or read the clock
 * several times and cannot owe (limiter), which a budget of time already spent needs.
 */

export interface Allowance {
  /** What may be done at once. */
  readonly burst: number;
  /** What comes back in a second. */
  readonly perSecond: number;
}

export class TokenBucket {
  readonly #allowance: Allowance;
  #level: number;
  /** When the level was true, ms. */
  #at: number;

  /** @param now ms, of a clock that never goes back; so in all methods. */
  constructor(allowance: Allowance, now: number) {
    this.#allowance = allowance;
    this.#level = allowance.burst;
    this.#at = now;
  }

  /** What is left; below zero where more was spent than there was. */
  level(now: number): number {
    const { burst, perSecond } = this.#allowance;
    this.#level = Math.min(burst, this.#level + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    return this.#level;
  }

  /** Takes one and returns whether there was one. */
  take(now: number): boolean {
    if (this.level(now) < 1) return false;
    this.#level--;
    return true;
  }

  /** Takes what has been used already, and may owe afterwards. */
  spend(amount: number, now: number): void {
    this.#level = this.level(now) - amount;
  }

  /** Leaves at most what the other one has. */
  lowerTo(other: TokenBucket, now: number): void {
    this.#level = Math.min(this.level(now), other.level(now));
  }

  /** Whether less than half is left. */
  isLow(now: number): boolean {
    return this.level(now) < this.#allowance.burst / 2;
  }
}
