/**
 * Publishes on their way out, many in one write while they come fast. Each write wakes Redis, and Redis wakes each instance that listens, which
 * costs all of them more than what is in it (bench/README.md, "Several instances").
 *
 * Those of a turn of the event loop leave at its end. When a window of `WINDOW_MS` has seen `BUSY_PUBLISHES`, those of the next one wait for
 * `GATHER_MS` more. All keep their order.
 */

/** What an edit is late elsewhere, at most, at an instance that publishes as often as this. */
const GATHER_MS = 2;
/** 750 a second. Long enough that a few that happen to come together are not taken for many. */
const WINDOW_MS = 100;
const BUSY_PUBLISHES = 75;

export interface PublicationsOptions {
  /** Called in the order of the publishes. */
  readonly send: (channel: string, payload: Buffer) => Promise<number>;
  /** Makes one write of all that is sent in it. */
  readonly together: (sendAll: () => void) => void;
}

export class Publications {
  readonly #options: PublicationsOptions;
  #waiting: (() => void)[] = [];
  /** `performance.now()` at the end of the window. */
  #until = 0;
  #publishes = 0;
  #isBusy = false;

  constructor(options: PublicationsOptions) {
    this.#options = options;
  }

  /** Resolves and rejects as `send` does. */
  publish(channel: string, payload: Buffer): Promise<number> {
    this.#count();
    if (this.#waiting.length === 0) {
      if (this.#isBusy) setTimeout(this.#flush, GATHER_MS);
      else setImmediate(this.#flush);
    }
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#options.send(channel, payload)));
    });
  }

  #count(): void {
    const now = performance.now();
    if (now >= this.#until) {
      this.#isBusy = this.#publishes >= BUSY_PUBLISHES && now < this.#until + WINDOW_MS;
      this.#publishes = 0;
      this.#until = now + WINDOW_MS;
    }
    this.#publishes++;
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#options.together(() => {
      for (const go of waiting) go();
    });
  };
}
