/**
 * How a stop treats the clients: how long they stay after readiness went red, and over what time they are sent away.
 *
 * A stock provider comes back one second after a close. If the load balancer sends it to the instance that stops, that attempt fails and
 * costs it another second, the next one two: so the balancer hears first. And a thousand who are closed in one turn are back in one turn.
 */
import { setTimeout as delay } from "node:timers/promises";

/** Comebacks a second that the instances left over take without noticing. */
const COMEBACKS_PER_SECOND = 200;
/** With the provider's second this is what HAProxy's defaults take to notice: three checks, two seconds apart. */
const LONGEST_NOTICE_MS = 5000;
/** Ten thousand clients, and nobody else has to wait for a deploy much longer. */
const LONGEST_SPREAD_MS = 5000;
/** Of a process that is not to be trusted: the others have some mercy, and it is not kept for it. */
const SPREAD_IN_HASTE_MS = 1000;
/**
 * Where nobody takes over, all at once: everybody is away until the restart, a spread only makes that later, and each attempt that comes too
 * early doubles the provider's patience. Of a thousand clients half were back after 2.6 s, and after 3.5 s with a spread of one second.
 */
const SPREAD_ALONE_MS = 0;
/** Of the deadline, for the notice and again for the spread; the rest is for a store that is slow. */
const SHARE_OF_DEADLINE = 1 / 5;
/** Platforms ask every one to thirty seconds. */
const WATCHED_MS = 60_000;

export interface DrainPlan {
  /** From red readiness to the first close, ms. Everybody works on. */
  readonly noticeMs: number;
  /** From the first close to the last, ms. Who is not closed yet works on. */
  readonly spreadMs: number;
}

export interface DrainSituation {
  readonly connections: number;
  readonly deadlineMs: number;
  /** Another instance may take over while this one is still there. */
  readonly isOneOfSeveral: boolean;
  /** Somebody asks for readiness now and then. */
  readonly isWatched: boolean;
  /** The process is not to be trusted any more. */
  readonly inHaste: boolean;
}

export function planDrain({
  connections,
  deadlineMs,
  isOneOfSeveral,
  isWatched,
  inHaste,
}: DrainSituation): DrainPlan {
  const share = deadlineMs * SHARE_OF_DEADLINE;
  const isNoticed = isOneOfSeveral && isWatched && !inHaste && connections > 0;
  const spreadWithOthersMs = inHaste ? SPREAD_IN_HASTE_MS : LONGEST_SPREAD_MS;
  const longestSpreadMs = isOneOfSeveral ? spreadWithOthersMs : SPREAD_ALONE_MS;
  return {
    noticeMs: isNoticed ? Math.min(LONGEST_NOTICE_MS, share) : 0,
    spreadMs: Math.min((connections / COMEBACKS_PER_SECOND) * 1000, longestSpreadMs, share),
  };
}

export class Drain {
  readonly #fixed: Pick<DrainSituation, "deadlineMs" | "isOneOfSeveral">;
  #askedAt = -Infinity;
  #hasBegun = false;
  #isSendingAway = false;

  constructor(fixed: Pick<DrainSituation, "deadlineMs" | "isOneOfSeveral">) {
    this.#fixed = fixed;
  }

  /** Nobody new is to come. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Who is here is to go. */
  get isSendingAway(): boolean {
    return this.#isSendingAway;
  }

  /** A part of readiness: red from the beginning of the stop. */
  readonly check = async (): Promise<void> => {
    if (this.#hasBegun) throw new Error("stopping");
    this.#askedAt = performance.now();
  };

  begin(now: Pick<DrainSituation, "connections" | "inHaste">): DrainPlan {
    this.#hasBegun = true;
    const isWatched = performance.now() - this.#askedAt < WATCHED_MS;
    return planDrain({ ...this.#fixed, ...now, isWatched });
  }

  /** Resolves when it is time to send everybody away. */
  async notice({ noticeMs }: DrainPlan): Promise<void> {
    await delay(noticeMs);
    this.#isSendingAway = true;
  }
}
