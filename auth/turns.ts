/**
 * Lets a number of things run at once and makes the others wait, in lanes that take turns: whoever fills a lane keeps only that lane waiting. What
 * waits is bounded, and goes when nobody wants it any more: a queue outlives the sockets that filled it, and with it their tokens.
 */

export interface TurnsOptions {
  readonly atOnce: number;
  /** Of each lane, and of all together. Without them as many wait as come. */
  readonly maxWaitingInLane?: number;
  readonly maxWaiting?: number;
  /** What those are told who may not wait. */
  readonly refusal?: () => Error;
}

export interface Turn {
  /** Null goes before all lanes and is not counted: for those whose number is bounded already. */
  readonly lane: string | null;
  /** Aborted once nobody wants it any more; too late for what runs already. */
  readonly abandoned?: AbortSignal;
}

interface Waiting {
  readonly start: () => void;
  readonly refuse: (reason: Error) => void;
}

export class Turns {
  readonly #options: Required<TurnsOptions>;
  /** The next lane first: Maps and Sets keep the order in which was added. */
  readonly #lanes = new Map<string, Set<Waiting>>();
  readonly #first = new Set<Waiting>();
  #waiting = 0;
  #running = 0;

  constructor(options: TurnsOptions) {
    this.#options = {
      maxWaitingInLane: Infinity,
      maxWaiting: Infinity,
      refusal: () => new Error("Too many wait"),
      ...options,
    };
  }

  /** How many wait in lanes. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs it at its turn, and returns what it returns.
   * @throws the refusal, when too many wait; the signal's reason, when it is aborted before its turn.
   */
  async take<T>({ lane, abandoned }: Turn, run: () => Promise<T>): Promise<T> {
    if (this.#running < this.#options.atOnce) this.#running++;
    else await this.#wait(lane, abandoned);
    try {
      return await run();
    } finally {
      this.#running--;
      this.#startNext();
    }
  }

  async #wait(lane: string | null, abandoned?: AbortSignal): Promise<void> {
    abandoned?.throwIfAborted();
    if (lane !== null) this.#makeRoomIn(lane);
    const { promise, resolve: start, reject: refuse } = Promise.withResolvers<void>();
    const waiting: Waiting = { start, refuse };
    const leave = (): void => {
      this.#remove(lane, waiting);
      refuse(abandoned?.reason as Error);
    };
    this.#add(lane, waiting);
    abandoned?.addEventListener("abort", leave);
    try {
      await promise;
    } finally {
      abandoned?.removeEventListener("abort", leave);
    }
  }

  /** Where all are full, who waits longest in line gives way: a few addresses must not take every place. */
  #makeRoomIn(lane: string): void {
    const { maxWaitingInLane, maxWaiting, refusal } = this.#options;
    const ahead = this.#lanes.get(lane)?.size ?? 0;
    if (ahead >= maxWaitingInLane) throw refusal();
    if (this.#waiting < maxWaiting) return;
    const [longest, crowd] = [...this.#lanes].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    const last = [...crowd].at(-1);
    if (last === undefined || crowd.size <= ahead + 1) throw refusal();
    this.#remove(longest, last);
    last.refuse(refusal());
  }

  #startNext(): void {
    const [lane, crowd] = this.#first.size > 0 ? [null, this.#first] : (firstOf(this.#lanes) ?? []);
    const next = crowd && firstOf(crowd);
    if (lane === undefined || !next) return;
    this.#remove(lane, next);
    // The lane's next turn comes after that of every other.
    if (lane !== null && this.#lanes.delete(lane) && crowd.size > 0) this.#lanes.set(lane, crowd);
    // Counted here, not when it goes on: somebody else would take the place in between.
    this.#running++;
    next.start();
  }

  #add(lane: string | null, waiting: Waiting): void {
    if (lane === null) {
      this.#first.add(waiting);
      return;
    }
    const crowd = this.#lanes.get(lane);
    if (crowd) crowd.add(waiting);
    else this.#lanes.set(lane, new Set([waiting]));
    this.#waiting++;
  }

  #remove(lane: string | null, waiting: Waiting): void {
    if (lane === null) {
      this.#first.delete(waiting);
      return;
    }
    const crowd = this.#lanes.get(lane);
    if (!crowd?.delete(waiting)) return;
    this.#waiting--;
    if (crowd.size === 0) this.#lanes.delete(lane);
  }
}

function firstOf<T>(things: Iterable<T>): T | undefined {
  for (const thing of things) return thing;
  return undefined;
}
