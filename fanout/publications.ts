/**
 * Publishes on their way out, many in one write while they come fast. Each write wakes Redis, and Redis wakes each instance that listens, which
 * costs all of them more than what is in it (bench/README.md, "Several instances").
 *
 * As long as few come, each goes at the end of its turn. When a window of `GATHER_MS` has seen `BUSY_TURNS` turns with publishes, those of the
 * next one leave together when it is over. All keep their order.
 */

/** What an edit is late elsewhere, at most, at an instance that publishes as often as this. */
const GATHER_MS = 4;
const BUSY_TURNS = 3;

type Send = (channel: string, payload: Buffer) => Promise<number>;

export class Publications {
  readonly #send: Send;
  #waiting: (() => void)[] = [];
  /** What is sent in this turn leaves in one write (ioredis). */
  #isTurnOpen = false;
  /** `performance.now()` at the end of the window. */
  #until = 0;
  #turns = 0;
  #isBusy = false;

  /** @param send is called in the order of the publishes. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Resolves and rejects as `send` does. */
  publish(channel: string, payload: Buffer): Promise<number> {
    if (!this.#isTurnOpen) this.#openTurn();
    if (!this.#isBusy) return this.#send(channel, payload);
    if (this.#waiting.length === 0) setTimeout(() => this.#flush(), GATHER_MS);
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#send(channel, payload)));
    });
  }

  #openTurn(): void {
    this.#isTurnOpen = true;
    setImmediate(() => (this.#isTurnOpen = false));
    const now = performance.now();
    // What waits would otherwise be overtaken.
    if (now >= this.#until && this.#waiting.length === 0) {
      this.#isBusy = this.#turns >= BUSY_TURNS && now < this.#until + GATHER_MS;
      this.#turns = 0;
      this.#until = now + GATHER_MS;
    }
    this.#turns++;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
