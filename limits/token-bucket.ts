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
  /** When all of it will have come back, ms: all that there is to know. A client has several, and most are full. */
  #fullAt = 0;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  /**
   * What is left; below zero where more was spent than there was.
   * @param now ms, of a clock that never goes back; so in all methods.
   */
  level(now: number): number {
    const { burst, perSecond } = this.#allowance;
    return burst - (Math.max(0, this.#fullAt - now) / 1000) * perSecond;
  }

  /** Takes one and returns whether there was one. */
  take(now: number): boolean {
    if (this.level(now) < 1) return false;
    this.spend(1, now);
    return true;
  }

  /** Takes what has been used already, and may owe afterwards. */
  spend(amount: number, now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + (amount / this.#allowance.perSecond) * 1000;
  }

  /** Leaves at most what the other one, of the same allowance, has. */
  lowerTo(other: TokenBucket): void {
    this.#fullAt = Math.max(this.#fullAt, other.#fullAt);
  }

  /** Whether all of it has come back. */
  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }

  /** Whether less than half is left. */
  isLow(now: number): boolean {
    return this.level(now) < this.#allowance.burst / 2;
  }
}
