/** How clients are sent away by a stop: not all at once, and nobody's edits are lost meanwhile. */
import { expect, test } from "vitest";
import { planDrain, type DrainPlan, type DrainSituation } from "../lib/drain.ts";
import { connect, type Client } from "./support/client.ts";
import { startComposition } from "./support/composition.ts";
import { RawClient } from "./support/raw-client.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";

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
  ["one instance", { isOneOfSeveral: false }, { noticeMs: 0, spreadMs: 1000 }],
  ["after an uncaught error", { inHaste: true }, { noticeMs: 0, spreadMs: 1000 }],
  ["a short deadline", { deadlineMs: 2000 }, { noticeMs: 400, spreadMs: 400 }],
])("[D7] the plan: %s", ([, situation, plan]) => {
  expect(planDrain({ ...deploy, ...situation })).toEqual(plan);
});

test("[D7] [D8] clients are closed one batch after the other, and those who are still there are served, and their edits saved", async () => {
  const { url: databaseUrl } = tempDatabase();
  const server = await startComposition({ DATABASE_URL: databaseUrl, SHUTDOWN_SECONDS: "25" });
  const crowd = Array.from({ length: 250 }, () => new RawClient(server.url));
  const members = Array.from({ length: 20 }, () => connect({ url: server.url, name: "room" }));
  await Promise.all([...crowd.map((client) => client.opened()), ...members.map((client) => client.saved())]);

  const inside = new Set<Client>();
  const saved: string[] = [];
  const stopped = server.stop();
  await until("the first close", () => crowd.some(({ close }) => close) || members.some(hasLeft));
  for (const [index, member] of members.entries()) {
    if (hasLeft(member)) continue;
    inside.add(member);
    member.tasks.set(`late-${index}`, true);
    member.provider.on("unsyncedChanges", ({ number }: { number: number }) => {
      if (number === 0 && !hasLeft(member)) saved.push(`late-${index}`);
    });
  }
  expect(await stopped).toBe(0);
  await until("everybody has heard", () => crowd.every(({ close }) => close) && members.every(hasLeft));
  for (const member of members) member.leave();

  expect(new Set(crowd.map(({ close }) => close?.code))).toEqual(new Set([1012]));
  expect(new Set(members.map(({ closes }) => closes[0]?.code))).toEqual(new Set([1012]));
  expect(saved.length).toBeGreaterThan(0);
  expect(saved.length).toBeLessThanOrEqual(inside.size);
  const next = await startComposition({ DATABASE_URL: databaseUrl });
  const reader = await connect({ url: next.url, name: "room" }).synced();
  expect([...reader.tasks.keys()]).toEqual(expect.arrayContaining(saved));
});

function hasLeft({ closes }: Client): boolean {
  return closes.length > 0;
}
