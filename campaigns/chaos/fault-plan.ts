/** Which faults strike, drawn from the seed before the run begins: nothing that the run does changes the next draw. */
import * as prng from "lib0/prng";
import type { Direction } from "../../test/support/tcp-proxy.ts";

/** What each of them hits. Two that strike at once hit different things. */
const TARGETS = {
  kill: "instance",
  term: "instance",
  stall: "instance",
  worker: "instance",
  orphan: "instance",
  cut: "network",
  mute: "network",
  deaf: "network",
  hole: "network",
  slow: "network",
  "redis-kill": "redis",
  "redis-freeze": "redis",
  "postgres-kill": "postgres",
  "postgres-freeze": "postgres",
  "postgres-hole": "postgres",
} as const;

export type Fault = keyof typeof TARGETS;
export const FAULTS = Object.keys(TARGETS) as readonly Fault[];

export const FAULT_HELP: Readonly<Record<Fault, string>> = {
  kill: "SIGKILL of an instance; some of its people go with it",
  term: "SIGTERM of an instance",
  stall: "an instance stands still",
  worker: "the storage workers of an instance die",
  orphan: "an instance is cut from Postgres, and killed with all its people before it could save",
  cut: "an instance is cut from Redis: connections refused",
  mute: "what an instance says does not reach Redis",
  deaf: "what Redis says does not reach an instance",
  hole: "nothing comes through between an instance and Redis, and nothing is refused",
  slow: "one way between an instance and Redis takes up to 0.8 s",
  "redis-kill": "SIGKILL of Redis, which comes back empty",
  "redis-freeze": "Redis stands still",
  "postgres-kill": "SIGKILL of all of Postgres",
  "postgres-freeze": "Postgres stands still",
  "postgres-hole": "nothing comes through between an instance and Postgres",
};

/** Shortest and longest, ms. Partitions go beyond the 4 s after which an instance counts as dead, and Postgres stays below the stop's deadline. */
const DURATIONS: Readonly<Record<Fault, readonly [number, number]>> = {
  kill: [200, 3000],
  term: [200, 1500],
  stall: [500, 7000],
  worker: [100, 1000],
  orphan: [200, 2000],
  cut: [300, 6000],
  mute: [500, 7000],
  deaf: [500, 7000],
  hole: [500, 7000],
  slow: [1000, 5000],
  "redis-kill": [50, 3000],
  "redis-freeze": [500, 5000],
  "postgres-kill": [0, 1500],
  "postgres-freeze": [300, 3000],
  "postgres-hole": [300, 4000],
};
const LONGEST_DELAY_MS = 800;
/** Between two steps, sometimes too short to recover from the one before. */
const LONGEST_PAUSE_MS = 2000;
/** One of so many steps is two faults at once. */
const DOUBLE_EVERY = 4;
/** Steps between two looks at everything. */
const STEPS_A_STRETCH = 4;

export interface Strike {
  readonly fault: Fault;
  readonly instance: number;
  /** Until it is over; of an instance that ends, until its restart. */
  readonly ms: number;
  /** Of the people at an instance that is killed, those who go with it for good. */
  readonly leaving: number;
  readonly direction: Direction;
  readonly delayMs: number;
}

export interface Step {
  readonly pauseMs: number;
  readonly strikes: readonly Strike[];
}

/** What happens between two looks at everything. */
export type Stretch = readonly Step[];

export interface PlanOptions {
  readonly seed: number;
  /** At least so many. */
  readonly count: number;
  readonly faults?: readonly Fault[];
  readonly instances: number;
}

/**
 * All kinds come once before one comes again. An orphan is the last of its stretch: whoever came in afterwards would make an instance save
 * what the dead one perhaps had not.
 */
export function planFaults({ seed, count, faults = FAULTS, instances }: PlanOptions): readonly Stretch[] {
  const random = prng.create(seed);
  const stretches: Step[][] = [];
  let stretch: Step[] = [];
  let deck: Fault[] = [];
  const draw = (): Fault => {
    if (deck.length === 0) deck = shuffled(random, faults);
    return deck.pop() ?? "kill";
  };
  for (let struck = 0; struck < count;) {
    const kinds = [draw()];
    if (prng.int53(random, 1, DOUBLE_EVERY) === 1) {
      const other = draw();
      if (kinds.every((kind) => TARGETS[kind] !== TARGETS[other])) kinds.push(other);
      else deck.push(other);
    }
    struck += kinds.length;
    const strikes = kinds.map((fault) => planStrike(random, { fault, instances }));
    stretch.push({ pauseMs: prng.int53(random, 0, LONGEST_PAUSE_MS), strikes });
    if (stretch.length === STEPS_A_STRETCH || kinds.includes("orphan")) {
      stretches.push(stretch);
      stretch = [];
    }
  }
  return stretch.length > 0 ? [...stretches, stretch] : stretches;
}

function planStrike(
  random: prng.PRNG,
  { fault, instances }: { readonly fault: Fault; readonly instances: number },
): Strike {
  const [least, most] = DURATIONS[fault];
  return {
    fault,
    instance: prng.int53(random, 0, instances - 1),
    ms: prng.int53(random, least, most),
    leaving: fault === "orphan" ? 1 : prng.oneOf(random, [0, 0.5, 1]),
    direction: prng.oneOf(random, ["toServer", "toClient"] as const),
    delayMs: prng.int53(random, 50, LONGEST_DELAY_MS),
  };
}

function shuffled<T>(random: prng.PRNG, values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: prng.real53(random) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
