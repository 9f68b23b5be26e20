import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { startBackend } from "./support/backend.ts";
import { connect } from "./support/client.ts";
import { redisState, startCluster } from "./support/instances.ts";
import { fetchMetrics, metricsOf } from "./support/metrics.ts";
import { tokenOf } from "./support/presence.ts";
import { RawClient } from "./support/raw-client.ts";
import { describeWithRedis } from "./support/redis.ts";
import { adminToken } from "./support/room-api.ts";
import { startProcess } from "./support/server-process.ts";
import { until } from "./support/until.ts";

test("[H8] GET /metrics counts what the server does, in the text format of Prometheus", async () => {
  const { url } = await startProcess({ ADMIN_TOKEN: adminToken });
  const writer = await connect({ url, name: "a" }).saved();
  writer.text.insert(0, "x");
  await writer.saved();
  const broken = await new RawClient(url).inside("b");
  broken.update("b", Uint8Array.of(1));
  await broken.closed();
  const metrics = await metricsOf(url);
  expect(metrics.get("righttask_connections")).toBe(1);
  expect(metrics.get("righttask_rooms")).toBe(2);
  expect(metrics.get("righttask_commits_total")).toBe(1);
  expect(metrics.get('righttask_messages_total{type="Sync"}')).toBeGreaterThan(3);
  expect(metrics.get('righttask_refusals_total{reason="Reset Connection"}')).toBe(1);
  expect(metrics.get(`righttask_build_info{version="${manifest.version}",node="${process.version}"}`)).toBe(
    1,
  );
  expect(metrics.get('righttask_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
  expect((await fetchMetrics(url)).headers.get("content-type")).toMatch(/^text\/plain; version=/);
});

test("[H8] only the bearer of ADMIN_TOKEN may read it, and without one there is nothing to read", async () => {
  const { url } = await startProcess({ ADMIN_TOKEN: adminToken });
  for (const authorization of ["", adminToken, `Bearer ${adminToken}x`, "Bearer "]) {
    const response = await fetchMetrics(url, { authorization });
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  }
  const without = await startProcess();
  expect((await fetchMetrics(without.url)).status).toBe(404);
});

describeWithRedis("metrics of several instances", (redis) => {
  test("[H8] [M14] whether rooms are shared, with how many instances, and what had to be repaired", async () => {
    const { servers } = await startCluster(redis, { ADMIN_TOKEN: adminToken });
    const [one, two] = servers;
    const ana = await connect({ url: one.url, name: "room", token: tokenOf("ana") }).synced();
    const ben = await connect({ url: two.url, name: "room", token: tokenOf("ben") }).synced();
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    const before = await metricsOf(one.url);
    expect(before.get("righttask_redis_up")).toBe(1);
    expect(before.get("righttask_instances")).toBe(1);
    // At the least two heartbeats, two questions and the edit.
    expect(before.get("righttask_redis_published_total")).toBeGreaterThanOrEqual(5);
    expect(before.get("righttask_redis_received_total")).toBeGreaterThanOrEqual(5);
    expect(before.get("righttask_redis_repairs_total")).toBe(0);

    await redis.stop();
    await Promise.all(servers.map((server) => redisState(server, "down")));
    expect((await metricsOf(one.url)).get("righttask_redis_up")).toBe(0);
    ben.text.insert(1, "b");
    await ben.saved();
    await redis.start();
    await until("repaired", () => ana.content === "ab");
    expect((await metricsOf(one.url)).get("righttask_redis_repairs_total")).toBe(1);
    expect((await metricsOf(two.url)).get("righttask_redis_repairs_total")).toBe(0);
  });

  test("[H8] a server by itself has no figures of Redis", async () => {
    const { url } = await startProcess({ ADMIN_TOKEN: adminToken });
    expect([...(await metricsOf(url)).keys()].filter((name) => /redis|instances/.test(name))).toEqual([]);
  });
});

test("[H8] [M14] questions to the backend are counted by their answer", async () => {
  const backend = await startBackend();
  const { url } = await startProcess({ ADMIN_TOKEN: adminToken, ...backend.serverEnv });
  await connect({ url, name: "task-list-1", token: await backend.login("ana") }).synced();
  const refused = connect({ url, name: "task-list-1", token: "forged" });
  await until("the refusal", () => refused.denials.length > 0);
  await backend.fault("error500");
  const unanswered = connect({ url, name: "task-list-1", token: await backend.login("ben") });
  await until("the close", () => unanswered.closes.length > 0);
  const metrics = await metricsOf(url);
  expect(metrics.get('righttask_backend_answers_total{answer="admitted"}')).toBe(1);
  expect(metrics.get('righttask_backend_answers_total{answer="refused"}')).toBe(1);
  expect(metrics.get('righttask_backend_answers_total{answer="none"}')).toBeGreaterThanOrEqual(1);
  expect(metrics.get("righttask_backend_questions")).toBeLessThanOrEqual(1);
});
