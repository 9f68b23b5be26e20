/** When clients are sent away by a stop; test/fanout/drain.test.ts is the stop itself. */
import { expect, onTestFinished, test, vi } from "vitest";
import { inBatches } from "../lib/batches.ts";
import { Drain, planDrain, type DrainPlan, type DrainSituation } from "../lib/drain.ts";

const deploy: DrainSituation = {
  connections: 1000,
  deadlineMs: 25_000,
  isOneOfSeveral: true,
  isWatched: true,
  inHaste: false,
};

test.for<[string, Partial<DrainSituation>, DrainPlan]>([
  ["a thousand clients at one of several instances", {}, { noticeMs: 5000, spreadMs: 5000 }],
  ["ten are closed at once", { connections: 10 }, { noticeMs: 5000, spreadMs: 50 }],
  ["a hundred are back at 200 a second", { connections: 100 }, { noticeMs: 5000, spreadMs: 500 }],
  ["no client, no notice", { connections: 0 }, { noticeMs: 0, spreadMs: 0 }],
  ["no load balancer that asks", { isWatched: false }, { noticeMs: 0, spreadMs: 5000 }],
  ["one instance alone", { isOneOfSeveral: false }, { noticeMs: 0, spreadMs: 0 }],
  ["after an uncaught error", { inHaste: true }, { noticeMs: 0, spreadMs: 1000 }],
  ["a short deadline", { deadlineMs: 2000 }, { noticeMs: 400, spreadMs: 400 }],
])("[D7] the plan: %s", ([, situation, plan]) => {
  expect(planDrain({ ...deploy, ...situation })).toEqual(plan);
});

test.for([
  ["never", null, 0],
  ["59 s ago", 59_000, 5000],
  ["61 s ago", 61_000, 0],
] as const)("[D7] readiness was asked for %s", async ([, msAgo, noticeMs]) => {
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ["performance"] });
  const drain = new Drain(deploy);
  if (msAgo !== null) {
    await drain.check();
    vi.advanceTimersByTime(msAgo);
  }
  expect(drain.begin(deploy).noticeMs).toBe(noticeMs);
  await expect(drain.check()).rejects.toThrow("stopping");
});

test("[D7] a crowd goes in random order, a batch every 20 ms", async () => {
  const crowd = Array.from({ length: 1000 }, (_, index) => index);
  const batches = await Array.fromAsync(inBatches(crowd, 200));
  expect(batches.length).toBeGreaterThan(1);
  expect(batches.length).toBeLessThan(13);
  expect(batches.flat()).not.toEqual(crowd);
  expect(batches.flat().toSorted((a, b) => a - b)).toEqual(crowd);
  expect(await Array.fromAsync(inBatches(crowd, 0))).toHaveLength(1);
});
