/** One of several instances stops: load balancers hear of it before the clients do. */
import { expect, test } from "vitest";
import { connect, type Client } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { clusterEnv, startCluster } from "../support/instances.ts";
import { lockStore } from "../support/locked-store.ts";
import { tokenOf } from "../support/presence.ts";
import { RawClient } from "../support/raw-client.ts";
import { describeWithRedis } from "../support/redis.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { storedText } from "../support/stored-room.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

async function readiness({ url }: ServerProcess): Promise<number> {
  const response = await fetch(`${url}/readyz`);
  await response.body?.cancel();
  return response.status;
}

/** Five seconds of it are the notice itself. */
const TIMEOUT_MS = 60_000;

describeWithRedis("drain", (redis) => {
  const name = "room";
  const token = tokenOf("ana");

  test(
    "[D7] [D8] readiness is red before the first client is closed, and an edit made in between is saved, and seen at the other instance",
    async () => {
      const { servers, databaseUrl } = await startCluster(redis);
      const [one, other] = servers;
      const here = await connect({ url: one.url, name, token }).saved();
      const there = await connect({ url: other.url, name, token }).synced();
      expect(await readiness(one)).toBe(200);

      const events: string[] = [];
      here.provider.on("disconnect", () => events.push("closed"));
      const ended = one.ended("SIGTERM");
      await until("red", async () => (await readiness(one)) === 503);
      events.push("red");
      here.text.insert(0, "late");
      await here.saved();
      events.push("saved");
      expect(await storedText(databaseUrl, name)).toBe("late");
      await until("seen at the other instance", () => there.content === "late");
      events.push("seen");
      // Rooms can be entered as before, over the sockets that are there.
      const { websocketProvider } = here.provider.configuration;
      const next = connect({ url: one.url, name: "another", token, websocketProvider });
      next.provider.attach();
      await next.synced();
      events.push("entered");
      await here.closedWith(1012);
      expect(await ended).toMatchObject({ code: 0 });
      expect(events.slice(0, 5)).toEqual(["red", "saved", "seen", "entered", "closed"]);
    },
    TIMEOUT_MS,
  );

  test("[D7] [D8] clients are closed one batch after the other, and those who are still there are served, and their edits saved", async () => {
    const { url: databaseUrl } = tempDatabase();
    const env = { ...clusterEnv(redis, databaseUrl), SHUTDOWN_SECONDS: "25" };
    const server = await startComposition(env);
    const crowd = Array.from({ length: 250 }, () => new RawClient(server.url));
    const members = Array.from({ length: 20 }, () => connect({ url: server.url, name, token }));
    await Promise.all([
      ...crowd.map((client) => client.opened()),
      ...members.map((client) => client.saved()),
    ]);

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
    const next = await startComposition(env);
    const reader = await connect({ url: next.url, name, token }).synced();
    expect([...reader.tasks.keys()]).toEqual(expect.arrayContaining(saved));
  });

  test("[I3] an instance that stops and waits for its store tells what is not saved yet to one that opens the room", async () => {
    const { servers, path } = await startCluster(redis);
    const [one, other] = servers;
    const here = await connect({ url: one.url, name, token }).saved();
    const release = lockStore(path);
    here.text.insert(0, "not saved yet");
    await one.logged("trouble", ({ event }) => event === "health");
    const ended = one.ended("SIGTERM");
    await here.closedWith(1012);
    await one.logged("everybody gone", ({ event }) => event === "connection-left");
    const there = await connect({ url: other.url, name, token }).synced();
    expect(there.content).toBe("not saved yet");
    release();
    expect((await ended).code).toBe(0);
  });

  test("[D7] nobody is kept waiting for a load balancer where none asks, or after an uncaught error", async () => {
    const { servers } = await startCluster(redis, {
      NODE_OPTIONS: "--import=./test/support/crash-on-sigusr2.mjs",
    });
    const [one, other] = servers;
    const here = await connect({ url: one.url, name, token }).synced();
    const there = await connect({ url: other.url, name, token }).synced();
    expect(await readiness(other)).toBe(200);
    one.kill("SIGTERM");
    other.kill("SIGUSR2");
    await Promise.all([here.closedWith(1012), there.closedWith(1012)]);
    expect((await one.ended()).code).toBe(0);
    expect((await other.ended()).code).toBe(1);
    for (const server of servers)
      expect(server.events("stopping")).toMatchObject([{ connections: 1, noticeMs: 0 }]);
  });
});

function hasLeft({ closes }: Client): boolean {
  return closes.length > 0;
}
