/** What happens in a round, drawn from the seed before the round begins: nothing that the run does changes the next draw. */
import * as prng from "lib0/prng";

export type Fault = "kill" | "term" | "worker" | "postgres";

export type Moment =
  /** In the very callback that tells a client "saved", when so large a share of a round's usual edits is saved. */
  | { readonly at: "ack"; readonly share: number }
  | { readonly at: "time"; readonly ms: number }
  /** While rooms that everybody has just left are merged and unload. */
  | { readonly at: "unload"; readonly share: number; readonly ms: number }
  /** While the server starts and readers load the rooms: the recovery from a crash, crashed again. */
  | { readonly at: "start"; readonly ms: number };

export type WriterPlan = ProviderWriterPlan | RawWriterPlan;

/** Writes as a React client: `burst` edits, then none until everything is saved. */
export interface ProviderWriterPlan {
  readonly kind: "provider";
  readonly burst: number;
}

export interface RawWriterPlan {
  readonly kind: "raw";
  /** Most edits on their way at a time. */
  readonly window: number;
  /** Sends one each so many milliseconds; null: as many as the window allows. */
  readonly paceMs: number | null;
  /** Each edit also overwrites a text of this length. */
  readonly ballastBytes: number;
}

export interface RoundPlan {
  readonly fault: Fault;
  readonly moment: Moment;
  readonly roomIdleSeconds: number;
  /** The same number in each room. */
  readonly writers: readonly WriterPlan[];
}

export interface PlanOptions {
  readonly faults: readonly Fault[];
  readonly round: number;
}

const WRITERS_A_ROOM = 4;
/** Some rounds carry ballast: only a journal of 4 MiB is merged in an open room, and what is written meanwhile must not go with it. */
const BALLAST_BYTES = 64 * 1024;
const BALLAST_EVERY = 3;
const LONGEST_WRITING_MS = 1200;
/** Merging a room of this campaign takes some ten milliseconds. */
const LONGEST_UNLOAD_MS = 80;
/** A start takes about half a second. */
const LONGEST_START_MS = 900;

/** In turn, so that a short run has all of them. Where the server lives on it is about those who are inside. */
const MOMENTS: Record<Fault, readonly Moment["at"][]> = {
  kill: ["ack", "time", "ack", "unload", "ack", "start"],
  term: ["ack", "time", "unload"],
  worker: ["ack", "time"],
  postgres: ["ack", "time"],
};

/** `round` counts from 0; the faults take turns. */
export function planRound(random: prng.PRNG, { faults, round }: PlanOptions): RoundPlan {
  const fault = faults[round % faults.length] ?? "kill";
  const moments = MOMENTS[fault];
  const turn = Math.floor(round / faults.length);
  const moment = planMoment(random, moments[turn % moments.length] ?? "ack");
  const ballastBytes = prng.int53(random, 1, BALLAST_EVERY) === 1 ? BALLAST_BYTES : 0;
  return {
    fault,
    moment,
    roomIdleSeconds: moment.at === "unload" ? 0 : prng.oneOf(random, [0, 60]),
    writers: Array.from({ length: WRITERS_A_ROOM }, (_, index) =>
      planWriter(random, { index, ballastBytes }),
    ),
  };
}

function planMoment(random: prng.PRNG, at: Moment["at"]): Moment {
  if (at === "time") return { at, ms: prng.int53(random, 1, LONGEST_WRITING_MS) };
  if (at === "start") return { at, ms: prng.int53(random, 1, LONGEST_START_MS) };
  const share = 0.5 + prng.real53(random);
  return at === "ack" ? { at, share } : { at, share, ms: prng.int53(random, 0, LONGEST_UNLOAD_MS) };
}

function planWriter(
  random: prng.PRNG,
  { index, ballastBytes }: { readonly index: number; readonly ballastBytes: number },
): WriterPlan {
  if (index % 2 === 0) return { kind: "provider", burst: prng.int53(random, 1, 5) };
  return {
    kind: "raw",
    window: prng.int53(random, 1, 48),
    paceMs: prng.bool(random) ? prng.int53(random, 1, 10) : null,
    ballastBytes: index === 1 ? ballastBytes : 0,
  };
}
