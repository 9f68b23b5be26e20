/**
 * How long to keep a client that is about to be told "come back": a stock provider returns one second after *every* close, so
 * without this ten thousand of them return every second for as long as the trouble lasts.
 */

/** Comebacks a second that a small server takes without noticing. */
const COMEBACKS_PER_SECOND = 200;
const SHORTEST_SPREAD_MS = 500;
const LONGEST_SPREAD_MS = 30_000;

export class Comeback {
  #count = 0;
  #windowStartedAt = 0;

  /** A random delay within a spread that grows with the number of clients sent away in the last half minute, ms. */
  delayMs(): number {
    const now = performance.now();
    if (now - this.#windowStartedAt > LONGEST_SPREAD_MS) {
      this.#windowStartedAt = now;
      this.#count = 0;
    }
    this.#count++;
    const spreadMs = (this.#count / COMEBACKS_PER_SECOND) * 1000;
    return Math.random() * Math.min(Math.max(spreadMs, SHORTEST_SPREAD_MS), LONGEST_SPREAD_MS);
  }
}
