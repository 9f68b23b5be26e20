/**
 * Stretches of trouble, each with a look at everything at its end, when nobody writes and everything runs again. People write all the while,
 * and what they write last in a stretch they write into its last fault.
 */
import { setTimeout as delay } from "node:timers/promises";
import { within } from "../deadline.ts";
import { readRoom } from "../room-reader.ts";
import { ServerChild } from "../server-child.ts";
import { Crowd } from "./crowd.ts";
import type { Fault, Step, Stretch } from "./fault-plan.ts";
import { Ledger, type RoomTally } from "./ledger.ts";
import { linesOf } from "./person.ts";
import { lookAtAll, type Look } from "./look.ts";
import { World, type Redis } from "./world.ts";

/** Of a stretch's last fault, people write through so large a part. */
const WRITTEN_SHARE = 0.8;
/** Far more than any fault and restart takes. */
const PATIENCE_MS = 90_000;

export interface CampaignOptions {
  readonly redis: Redis;
  readonly plan: readonly Stretch[];
  readonly instances: number;
  readonly rooms: number;
  readonly seed: number;
  /** No stretch begins later. */
  readonly longestMs: number;
  readonly onStep?: (progress: Progress) => void;
}

export interface Progress {
  readonly step: Step;
  readonly struck: number;
  readonly acknowledged: number;
  readonly lost: number;
}

export interface CampaignReport {
  readonly rooms: readonly RoomTally[];
  readonly faults: ReadonlyMap<Fault, number>;
  readonly looks: readonly Look[];
  /** An edit's longest wait for its ack, ms. */
  readonly slowestAckMs: number;
  /** Nobody at all was told that anything is saved, ms. */
  readonly longestWithoutAckMs: number;
  /** `room/line` of what was promised and was not there, or was there and deleted. */
  readonly lost: readonly string[];
  /** Whatever else was not as promised. */
  readonly problems: readonly string[];
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { redis, plan, instances, rooms, seed, longestMs, onStep } = options;
  const problems: string[] = [];
  const faults = new Map<Fault, number>();
  const looks: Look[] = [];
  const ledger = new Ledger(Array.from({ length: rooms }, (_, index) => `chaos-${index}`));
  const world = new World({ redis, instances, onProblem: (problem) => problems.push(problem) });
  const crowd = new Crowd({ ledger, seed, entrances: () => world.entrances });
  const deadline = performance.now() + longestMs;
  let struck = 0;
  try {
    await world.start();
    crowd.fill();
    const { databaseUrl } = world;
    for (const stretch of plan) {
      if (performance.now() > deadline) break;
      crowd.start();
      for (const step of stretch) {
        await delay(step.pauseMs);
        const isLast = step === stretch.at(-1);
        await within(
          PATIENCE_MS,
          () => `the end of ${describeStep(step)}`,
          play(step, { isLast, world, crowd }),
        );
        for (const { fault } of step.strikes) faults.set(fault, (faults.get(fault) ?? 0) + 1);
        struck += step.strikes.length;
        onStep?.({ step, struck, acknowledged: ledger.acknowledged, lost: ledger.lost.length });
      }
      const look = await lookAtAll({ crowd, ledger, databaseUrl }).catch((error: Error) => {
        problems.push(`After ${stretch.map(describeStep).join("; ")}: ${error.message}\n${world.output}`);
      });
      if (look) looks.push(look);
      // Whoever comes now has only what instances and the store have.
      crowd.leave();
      crowd.fill();
    }
    await world.terminate();
    await readAll({ databaseUrl, ledger });
  } catch (error) {
    // What was found so far is worth a table all the same.
    problems.push(error instanceof Error ? error.message : String(error));
  } finally {
    crowd.leave();
    await world.close();
  }
  const planned = plan.flat().reduce((sum, { strikes }) => sum + strikes.length, 0);
  if (struck < planned) problems.push(`Only ${struck} of ${planned} faults in ${longestMs / 1000} s`);
  if (ledger.acknowledged === 0) problems.push("Nothing was ever acknowledged");
  for (const reason of new Set(crowd.denials)) problems.push(`Somebody was refused: ${reason}`);
  const { lost, slowestAckMs, longestWithoutAckMs } = ledger;
  return { rooms: ledger.tallies(), faults, looks, slowestAckMs, longestWithoutAckMs, lost, problems };
}

export function describeStep({ strikes }: Step): string {
  return strikes.map(({ fault, instance, ms }) => `${fault} (${instance}, ${ms} ms)`).join(" and ");
}

async function play(
  { strikes }: Step,
  { isLast, world, crowd }: { readonly isLast: boolean; readonly world: World; readonly crowd: Crowd },
): Promise<void> {
  const striking = strikes.map((strike) => world.strike(strike, crowd));
  if (isLast) {
    await delay(WRITTEN_SHARE * Math.max(...strikes.map(({ ms }) => ms)));
    crowd.pause();
  }
  await Promise.all(striking);
}

/** What a reader finds who knows the rooms from the store alone. */
async function readAll({
  databaseUrl,
  ledger,
}: {
  readonly databaseUrl: string;
  readonly ledger: Ledger;
}): Promise<void> {
  const server = new ServerChild("server.ts", { DATABASE_URL: databaseUrl });
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const url = await server.listening;
    for (const room of ledger.rooms) {
      const content = await readRoom({ url, room, signal }, (document) => linesOf(document).toArray());
      ledger.verify(room, { who: "a fresh server", content });
    }
  } finally {
    server.signal("SIGKILL");
    await server.ended;
  }
}
