import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Degraded, healthRoutes, type PartCheck } from "../http/health.ts";
import { createRouter, type Call } from "../http/router.ts";
import manifest from "../package.json" with { type: "json" };
import { captureLog } from "./support/captured-log.ts";
import { connect } from "./support/client.ts";
import { startProcess } from "./support/server-process.ts";

const get = async (
  url: string,
  init?: RequestInit,
): Promise<{ status: number; headers: Headers; body: unknown }> => {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
};

test("[H1] GET /healthz says that the process is alive", async () => {
  const { url } = await startProcess();
  expect(await get(`${url}/healthz`)).toMatchObject({ status: 200, body: { status: "ok" } });
});

test("[H2] GET /readyz says which part is not ready", async () => {
  const { url } = await startProcess();
  expect(await get(`${url}/readyz`)).toMatchObject({
    status: 200,
    body: { ready: true, parts: { server: "ok", storage: "ok" } },
  });
});

test("[H2] a part that does not work, or does not answer, is 503 and says why; one that is degraded is said and 200", async () => {
  const readiness = async (check: PartCheck): Promise<unknown> =>
    healthRoutes({ describe: () => ({}), checks: { one: async () => {}, other: check } })["GET /readyz"]?.(
      {} as Call,
    );
  const fails: PartCheck = async () => {
    throw new Error("the disk is gone");
  };
  const answer = (status: number, ready: boolean, other: string): unknown => ({
    status,
    body: { ready, parts: { one: "ok", other } },
  });
  expect(await readiness(fails)).toEqual(answer(503, false, "the disk is gone"));
  expect(await readiness(() => new Promise(() => {}))).toEqual(answer(503, false, "no answer in 800 ms"));
  const isDegraded: PartCheck = async () => {
    throw new Degraded("by itself");
  };
  expect(await readiness(isDegraded)).toEqual(answer(200, true, "degraded: by itself"));
});

test("[H3] GET / is a short JSON of name, uptime, rooms and connections, and tells no stranger the version", async () => {
  const startedAt = performance.now();
  const server = await startProcess();
  await connect({ url: server.url, name: "a" }).synced();
  await connect({ url: server.url, name: "b" }).synced();
  const body = (await get(server.url)).body as { readonly uptime: number };
  expect(body).toEqual({ name: manifest.name, uptime: expect.any(Number), rooms: 2, connections: 2 });
  expect(body.uptime).toBeLessThanOrEqual((performance.now() - startedAt) / 1000);
});

test("[H4] a fault of ours is 500, and what it was is in the log alone", async () => {
  const captured = captureLog();
  const fails = (): never => {
    throw new Error("the reason");
  };
  const server = createServer(createRouter({ log: captured.log, routes: { "GET /fails": fails } }));
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  expect(await get(`http://127.0.0.1:${port}/fails`)).toMatchObject({
    status: 500,
    body: { error: "internal error" },
  });
  expect(captured.events("request-failed")).toMatchObject([
    { path: "/fails", err: { message: "the reason" } },
  ]);
});

test("[H4] other paths answer 404, other methods 405, and nothing is cached", async () => {
  const { url } = await startProcess();
  expect((await get(`${url}/nowhere`)).status).toBe(404);
  expect((await get(`${url}/constructor`)).status).toBe(404);
  expect((await get(`${url}/rooms/task-list-1`)).status).toBe(404);
  const posted = await get(`${url}/healthz`, { method: "POST" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await get(`${url}/healthz`, { method: "HEAD" });
  expect([head.status, head.body, head.headers.get("cache-control")]).toEqual([200, null, "no-store"]);
});
