/**
 * How long to keep a client that is about to be told "come back": a stock provider returns one second after *every* close, so
 * without this ten thousand of them return every second for as long as the trouble lasts.
 */

/** Comebacks a second that a small server takes without noticing. */
const COMEBACKS_PER_SECOND = 200;
const SHORTEST_SPREAD_MS = 500;
const LONGEST_SPREAD_MS = 30_000;

export class Comeback {
  /** Clients sent away in the present half minute: in all, and for each room. */
  #total = 0;
  readonly #byRoom = new Map<string, number>();
  #windowStartedAt = 0;

  /**
   * A random delay, ms, within a spread that grows with the number of clients sent away in the last half minute, and doubles with each
   * for the same room: one that cannot be loaded would otherwise take a socket with twenty others down every second.
   * @param room null where the room has nothing to do with it: twenty people whose tokens ran out are back in a second.
   */
  delayMs(room: string | null): number {
    const now = performance.now();
    if (now - this.#windowStartedAt > LONGEST_SPREAD_MS) {
      this.#windowStartedAt = now;
      this.#total = 0;
      this.#byRoom.clear();
    }
    this.#total++;
    const before = room === null ? 0 : (this.#byRoom.get(room) ?? 0);
    if (room !== null) this.#byRoom.set(room, before + 1);
    const spreadMs = Math.max((this.#total / COMEBACKS_PER_SECOND) * 1000, SHORTEST_SPREAD_MS * 2 ** before);
    return Math.random() * Math.min(spreadMs, LONGEST_SPREAD_MS);
  }
}
