import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
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

test("[H3] GET / is a short JSON of name, uptime, rooms and connections, and tells no stranger the version", async () => {
  const server = await startProcess();
  await connect({ url: server.url, name: "a" }).synced();
  await connect({ url: server.url, name: "b" }).synced();
  expect((await get(server.url)).body).toEqual({
    name: manifest.name,
    uptime: expect.any(Number),
    rooms: 2,
    connections: 2,
  });
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
