/** Which instances are there, and who goes with them. */
import { expect, test } from "vitest";
import { newInstanceId, seal } from "../../fanout/envelope.ts";
import { Instances } from "../../fanout/instances.ts";
import type { RedisLink } from "../../fanout/redis-link.ts";
import { captureLog } from "../support/captured-log.ts";
import { acquainted, clusterEnv, heartbeats, redisState, startCluster } from "../support/instances.ts";
import { appear, sees, tokenOf } from "../support/presence.ts";
import { connect, type Client } from "../support/client.ts";
import { describeWithRedis } from "../support/redis.ts";
import { ServerProcess, startProcess } from "../support/server-process.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** How often somebody was gone for this client. */
function departures({ provider }: Client): { count: number } {
  const seen = { count: 0 };
  provider.awareness?.on(
    "change",
    ({ removed }: { removed: readonly number[] }) => (seen.count += removed.length),
  );
  return seen;
}

describeWithRedis("instances", (redis) => {
  const name = "room";
  const ana = { user: { id: "ana", name: "Ana" } };
  const ben = { user: { id: "ben", name: "Ben" } };

  async function two() {
    const cluster = await startCluster(redis);
    const [one, other] = cluster.servers;
    const here = await appear("ana", {}, { url: one.url, name });
    const there = await appear("ben", {}, { url: other.url, name });
    await sees(here, { [there.doc.clientID]: ben });
    await sees(there, { [here.doc.clientID]: ana });
    return { ...cluster, one, other, here, there };
  }

  test("[I9] the people of an instance that has died are gone within five seconds", async () => {
    const { one, there } = await two();
    await one.ended("SIGKILL");
    const diedAt = performance.now();
    await sees(there, {});
    expect(performance.now() - diedAt).toBeLessThan(5000);
  });

  test("[I9] the people of one that stops are gone at once, and back when they are somewhere else", async () => {
    const { one, other, here, there } = await two();
    const ended = one.ended("SIGTERM");
    await sees(there, {});
    expect((await ended).code).toBe(0);
    await other.logged("left", ({ event, is }) => event === "instance" && is === "left");
    const again = connect({ url: other.url, name, token: tokenOf("ana"), document: here.doc });
    here.leave();
    again.provider.awareness?.setLocalState({});
    await sees(there, { [here.doc.clientID]: ana });
  });

  test(
    "[I9] nobody flickers in a quiet room, nor when Redis stands still for some time",
    { timeout: 90_000 },
    async () => {
      const { servers, here, there } = await two();
      const gone = [departures(here), departures(there)];
      await heartbeats(redis, 12);
      redis.freeze();
      await Promise.all(servers.map((server) => redisState(server, "down")));
      redis.thaw();
      await Promise.all(servers.map((server) => redisState(server, "up", { seen: 2 })));
      await heartbeats(redis, 10);
      expect(gone).toEqual([{ count: 0 }, { count: 0 }]);
    },
  );

  test("[I9] an instance that stood still takes nobody for dead, and its people are back with it", async () => {
    const { one, other, here, there } = await two();
    const gone = departures(here);
    await one.freeze();
    await sees(there, {});
    one.kill("SIGCONT");
    await sees(there, { [here.doc.clientID]: ana });
    await heartbeats(redis, 8);
    await sees(here, { [there.doc.clientID]: ben });
    expect(gone).toEqual({ count: 0 });
    expect(one.events("instance").map(({ is }) => is)).toEqual(["there"]);
    expect(other.events("instance").map(({ is }) => is)).toEqual(["there", "silent", "there"]);
  });

  test("[I2] who moves to another instance is seen all the time, also when the old connection ends later", async () => {
    const { one, other, here } = await two();
    const watcher = await appear("cleo", null, { url: one.url, name });
    await until("seen", () => watcher.provider.awareness?.getStates().has(here.doc.clientID));
    const gone = departures(watcher);
    const again = connect({ url: other.url, name, token: tokenOf("ana"), document: here.doc });
    again.provider.awareness?.setLocalState({ moved: true });
    const state = (): unknown => watcher.provider.awareness?.getStates().get(here.doc.clientID)?.["moved"];
    await until("moved", state);
    // Without a word about its presence.
    here.provider.configuration.websocketProvider.webSocket?.close();
    await one.logged("left", ({ event, user }) => event === "connection-left" && user === "ana");
    watcher.text.insert(0, "barrier");
    await until("barrier", () => again.content === "barrier");
    expect(gone.count).toBe(0);
    expect(state()).toBe(true);
  });

  test("[I8] an instance with another store does not start, and says why", async () => {
    const { servers, env } = await startCluster(redis);
    const stranger = new ServerProcess({ ...env, DATABASE_URL: tempDatabase().url });
    expect((await stranger.ended()).code).toBe(1);
    expect(stranger.stderr).toMatch(
      /^Could not start: The instances on this Redis .*righttask#store.* have another store/,
    );
    expect(servers[0].events("other-store")).toEqual([]);
  });

  test("[I8] where that is found out later it shares nothing, and readiness sends people elsewhere", async () => {
    await redis.stop();
    const servers = await Promise.all([1, 2].map(() => startProcess(clusterEnv(redis, tempDatabase().url))));
    await redis.start();
    const stranger = await until("one of them refused", () =>
      servers.find((server) => server.events("other-store").length > 0),
    );
    const response = await fetch(`${stranger.url}/readyz`);
    expect([response.status, await response.text()]).toEqual([503, expect.stringContaining("another store")]);
    const first = servers.find((server) => server !== stranger);
    await until("the first shares", () => first?.events("redis").some((line) => line["redis"] === "up"));
    expect(stranger.events("other-store")).toHaveLength(1);
  });

  test("[I11] an order of the backend holds at every instance", async () => {
    const adminToken = "a".repeat(32);
    const { servers } = await startCluster(redis, { ADMIN_TOKEN: adminToken });
    const [one, other] = servers;
    const post = async (path: string): Promise<void> => {
      const headers = { authorization: `Bearer ${adminToken}` };
      expect((await fetch(`${one.url}${path}`, { method: "POST", headers })).status).toBe(200);
    };
    const there = await appear("ben", {}, { url: other.url, name });
    const cleo = await appear("cleo", {}, { url: other.url, name });
    await post("/api/users/ben/revoke");
    expect(await there.denied()).toBe("access-revoked");
    const before = Math.floor(Date.now() / 1000) - 1000;
    await post(`/api/users/dora/revoke?before=${before}`);
    await post(`/api/rooms/${name}/kick?user=cleo`);
    expect(await cleo.denied()).toBe("kicked");
    const enter = (iat: number): Client => connect({ url: other.url, name, token: tokenOf("dora", { iat }) });
    expect(await enter(before).denied()).toBe("access-revoked");
    await enter(before + 1).synced();
    await acquainted(...servers);
  });
});

/** One that hears what a test tells it. */
function listening(id: string) {
  const idle = (): void => {};
  const log = captureLog();
  const committed: string[] = [];
  const instances = new Instances({
    id,
    channel: "righttask#instances",
    link: {} as RedisLink,
    log: log.log,
    saves: () => true,
    onDead: idle,
    onBack: idle,
    onBehind: idle,
    onHeard: idle,
    committed: () => 0,
    onCommitted: (instance) => committed.push(instance),
    onBeat: idle,
  });
  const hear = (from: string, { leaves = false } = {}): void => {
    const message = Buffer.from(JSON.stringify({ saves: true, committed: 0, leaves }));
    instances.receive(seal({ from, message }));
  };
  return { instances, hear, log, committed };
}

test("[I7] of instances that are not there any more a thousand are remembered, and not each is a line in the log", () => {
  const id = newInstanceId();
  const { instances, hear, log } = listening(id);
  const names = Array.from({ length: 1001 }, newInstanceId);
  for (const from of names) {
    hear(from);
    for (let beat = 0; beat < 4; beat++) hear(id);
  }
  expect([instances.count, names.filter((name) => instances.saves(name))]).toEqual([0, [names[0]]]);
  expect(log.events("instance").length).toBeLessThan(150);
});

test("[I7] nothing is remembered of one that was never there and says that it ends", () => {
  const { instances, hear, committed, log } = listening(newInstanceId());
  hear(newInstanceId(), { leaves: true });
  expect([instances.count, committed, log.events("instance")]).toEqual([0, [], []]);
});
