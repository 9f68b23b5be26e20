/** A short run of the chaos campaign (campaigns/chaos; `npm run chaos` is the long one): three instances, real Redis and Postgres, real people. */
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { runCampaign } from "../campaigns/chaos/campaign.ts";
import type { Fault, Step } from "../campaigns/chaos/fault-plan.ts";
import { describeWithRedis } from "./support/redis.ts";

/** What people type, and where they go: `npm run chaos -- --seed N`. */
const SEED = randomInt(1, 2 ** 31);
const TIMEOUT_MS = 180_000;

/** Half of the people at an instance that is killed go with it, and all of an orphan's. */
function step(fault: Fault, { at, ms }: { readonly at: number; readonly ms: number }): Step {
  const leaving = fault === "orphan" ? 1 : 0.5;
  return { pauseMs: 300, strikes: [{ fault, instance: at, ms, leaving, direction: "toServer", delayMs: 0 }] };
}

describeWithRedis("chaos", (redis) => {
  test(
    `[I4] [I5] [I6] [I9] instances are killed, Redis forgets, networks part: nothing acknowledged is lost, and all are the same again; seed ${SEED}`,
    async () => {
      const plan = [
        [step("kill", { at: 0, ms: 300 }), step("redis-kill", { at: 0, ms: 500 })],
        [step("hole", { at: 1, ms: 3000 })],
        [step("postgres-kill", { at: 0, ms: 0 }), step("orphan", { at: 2, ms: 700 })],
      ];
      const options = { redis, plan, instances: 3, rooms: 2, seed: SEED, longestMs: TIMEOUT_MS };
      const { lost, problems, looks, rooms } = await runCampaign(options);
      expect({ lost, problems }).toEqual({ lost: [], problems: [] });
      expect(looks).toHaveLength(plan.length);
      for (const { acknowledged, found } of rooms) {
        expect(acknowledged).toBeGreaterThan(20);
        expect(found).toBe(acknowledged);
      }
    },
    TIMEOUT_MS,
  );
});
