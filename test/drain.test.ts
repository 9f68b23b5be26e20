/** When clients are sent away by a stop; test/fanout/drain.test.ts is the stop itself. */
import { expect, test } from "vitest";
import { planDrain, type DrainPlan, type DrainSituation } from "../lib/drain.ts";

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
