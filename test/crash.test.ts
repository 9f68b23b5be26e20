/**
 * Saved means saved: a short run of the crash campaign (campaigns/crash; `npm run crash` is the long one). Real servers on a real file,
 * users and bare WebSockets that write as fast as they are acknowledged, the fault at a moment drawn from a seed. Each time the writers
 * and all they knew are gone before the next server starts, so that nobody can bring an edit back but the disk.
 */
import { randomInt } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { runCampaign, type CampaignReport } from "../campaigns/crash/campaign.ts";
import { createDatabase } from "../campaigns/database.ts";
import type { Fault } from "../campaigns/crash/round-plan.ts";

const ROOMS = 3;
/** Repeated by `npm run crash -- --seed N` with the same fault, kills, edits and rooms. */
const SEED = randomInt(1, 2 ** 31);
const TIMEOUT_MS = 120_000;

interface Size {
  readonly fault: Fault;
  readonly kills: number;
  readonly edits: number;
}

test(
  `[S1] an acknowledged edit survives kill -9: at the ack, at any time, while rooms unload, while the server recovers; seed ${SEED}`,
  async () => {
    const report = await crash({ fault: "kill", kills: 6, edits: 1000 });
    expect(report).toMatchObject({ lost: [], problems: [] });
    expect(report.acknowledged).toBeGreaterThanOrEqual(1000);
  },
  TIMEOUT_MS,
);

test(
  `[D1] SIGTERM amid the writing ends with exit code 0 and with every edit that was acknowledged; seed ${SEED}`,
  async () => {
    const report = await crash({ fault: "term", kills: 3, edits: 500 });
    expect(report).toMatchObject({ lost: [], problems: [] });
  },
  TIMEOUT_MS,
);

test(
  `[S8] what was on its way when the storage workers died is acknowledged and on disk, and nobody is disconnected; seed ${SEED}`,
  async () => {
    const report = await crash({ fault: "worker", kills: 2, edits: 300 });
    expect(report).toMatchObject({ lost: [], problems: [] });
    expect(report.faults[0]?.healedMs).toHaveLength(2);
  },
  TIMEOUT_MS,
);

async function crash({ fault, kills, edits }: Size): Promise<CampaignReport> {
  const database = await createDatabase("sqlite");
  onTestFinished(() => database.remove());
  return runCampaign({
    database,
    faults: [fault],
    kills,
    edits,
    seed: SEED,
    rooms: ROOMS,
    longestMs: TIMEOUT_MS / 2,
  });
}
