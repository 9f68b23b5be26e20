/** Rounds, one after the other on one database, until enough faults have struck and enough edits are acknowledged. */
import { randomUUID } from "node:crypto";
import * as prng from "lib0/prng";
import type { Database } from "../database.ts";
import { Ledger, type Tally } from "./ledger.ts";
import { playRound } from "./round.ts";
import { planRound, type Fault, type RoundPlan } from "./round-plan.ts";

/** Rounds that are cut short by time bring few edits; the others have to bring more. */
const SURPLUS = 1.4;
/** So many times the rounds asked for, and no more, if edits are still missing. */
const MOST_ROUNDS = 2;

export interface CampaignOptions {
  /** The caller's; it outlives the campaign. */
  readonly database: Database;
  readonly faults: readonly Fault[];
  readonly seed: number;
  /** At least so many faults. */
  readonly kills: number;
  /** At least so many acknowledged edits. */
  readonly edits: number;
  readonly rooms: number;
  /** No round begins later than this. */
  readonly longestMs: number;
  readonly onRound?: (progress: Progress) => void;
}

export interface Progress {
  readonly round: number;
  readonly plan: RoundPlan;
  readonly acknowledged: number;
  readonly lost: number;
}

export interface FaultReport extends Tally {
  readonly fault: Fault;
  readonly kills: number;
  readonly recoveryMs: readonly number[];
  readonly healedMs: readonly number[];
}

export interface CampaignReport {
  readonly faults: readonly FaultReport[];
  readonly acknowledged: number;
  /** `room/key` of acknowledged edits that a reader missed. */
  readonly lost: readonly string[];
  /** Whatever else was not as promised, and a campaign that fell short. */
  readonly problems: readonly string[];
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { database, faults, seed, kills, edits, rooms, longestMs, onRound } = options;
  const random = prng.create(seed);
  // Names of this run's own: a database that was there before may hold an earlier run of the same seed.
  const run = randomUUID().slice(0, 8);
  const ledger = new Ledger(Array.from({ length: rooms }, (_, index) => `crash-${run}-${index}`));
  const figures = new Map(
    faults.map((fault) => [fault, { kills: 0, recoveryMs: [] as number[], healedMs: [] as number[] }]),
  );
  const problems: string[] = [];
  const editsARound = Math.ceil((edits / kills) * SURPLUS);
  const deadline = performance.now() + longestMs;
  let previous: Fault | null = null;

  const play = async (name: string, plan: RoundPlan | null): Promise<void> => {
    const result = await playRound({ name, plan, database, ledger, editsARound });
    problems.push(...result.problems.map((problem) => `round ${name}: ${problem}`));
    // This round's start is the recovery from the fault before.
    if (previous && result.recoveryMs !== null) figures.get(previous)?.recoveryMs.push(result.recoveryMs);
    if (plan && result.healedMs !== null) figures.get(plan.fault)?.healedMs.push(result.healedMs);
    previous = plan?.fault ?? null;
  };

  try {
    for (let round = 1; round <= kills * MOST_ROUNDS; round++) {
      if (round > kills && ledger.acknowledged >= edits) break;
      if (performance.now() > deadline) break;
      const plan = planRound(random, { faults, round: round - 1 });
      await play(`${round}`, plan);
      const figure = figures.get(plan.fault);
      if (figure) figure.kills++;
      onRound?.({ round, plan, acknowledged: ledger.acknowledged, lost: ledger.lost.length });
    }
    await play("last", null);
  } catch (error) {
    // What was found so far is worth a table all the same.
    problems.push(error instanceof Error ? error.message : String(error));
  }

  const struck = [...figures.values()].reduce((sum, figure) => sum + figure.kills, 0);
  if (struck < kills) problems.push(`Only ${struck} of ${kills} faults in ${longestMs / 1000} s`);
  if (ledger.acknowledged < edits)
    problems.push(`Only ${ledger.acknowledged} of ${edits} edits were acknowledged`);
  return {
    faults: faults.map((fault) => ({
      fault,
      ...(figures.get(fault) ?? { kills: 0, recoveryMs: [], healedMs: [] }),
      ...ledger.tally(fault),
    })),
    acknowledged: ledger.acknowledged,
    lost: ledger.lost,
    problems,
  };
}
