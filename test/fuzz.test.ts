/** A short run of the fuzz campaign (campaigns/fuzz; `npm run fuzz` is the long one): damaged messages over real sockets, drawn from a seed. */
import { randomInt } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../campaigns/database.ts";
import { runCampaign } from "../campaigns/fuzz/campaign.ts";
import { openRooms } from "../campaigns/fuzz/room-openings.ts";

/** Repeated by `npm run fuzz -- --seed N --messages 4000`. */
const SEED = randomInt(1, 2 ** 31);
const TIMEOUT_MS = 120_000;

test(
  `[T15] 4,000 damaged messages: no crash, nobody else put out, nothing saved lost; seed ${SEED}`,
  async () => {
    const database = await createDatabase("sqlite");
    onTestFinished(() => database.remove());
    const { ends, bystanders, problems } = await runCampaign({ database, seed: SEED, messages: 4000 });
    expect(problems).toEqual([]);
    expect(ends.messages).toBeGreaterThanOrEqual(4000);
    for (const { saved, lost } of bystanders) {
      expect(saved).toBeGreaterThan(5);
      expect(lost).toEqual([]);
    }
  },
  TIMEOUT_MS,
);

test(
  "[U5] a thousand rooms opened and left leave no memory and no timers behind",
  async () => {
    const leaks = await openRooms(1000, () => {});
    expect(leaks.timersAfter).toBeLessThanOrEqual(leaks.timersBefore);
    // A room that stayed would be 10 kB.
    expect(leaks.heapBytesAfter - leaks.heapBytesBefore).toBeLessThan(4 * 1024 * 1024);
  },
  TIMEOUT_MS,
);
