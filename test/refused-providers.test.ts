/** Providers that were refused for good: they stay and are quiet, and they take nobody's place. */
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { closeReasons } from "../lib/close-reasons.ts";
import { Refusal } from "../lib/refusal.ts";
import { Heartbeat, type Beating } from "../transport/heartbeat.ts";
import { connect } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { RawClient, refusedUpgrade } from "./support/raw-client.ts";
import { next, scriptedBackend } from "./support/scripted-backend.ts";
import { until } from "./support/until.ts";
import { adminToken, callApi } from "./support/room-api.ts";

/** Beats when the test says so. */
class OrderedHeartbeat extends Heartbeat {
  readonly #beating = new Set<Beating>();

  override watch(socket: Beating): void {
    this.#beating.add(socket);
  }

  override unwatch(socket: Beating): void {
    this.#beating.delete(socket);
  }

  beat(): void {
    for (const socket of this.#beating) socket.beat();
  }
}

const isPing = (message: Uint8Array): boolean => message.length === 1 && message[0] === MessageType.Ping;

/** Logs in with a token that is none. */
async function refused(
  server: Composition,
  address = "192.0.2.1",
  version: string | null = "4.8.0",
): Promise<RawClient> {
  const client = await new RawClient(server.url, { headers: { "x-forwarded-for": address } }).opened();
  client.login("room", { token: "none", version });
  await client.refused("room", "token-invalid");
  return client;
}

const startWithTokens = (
  env: Readonly<Record<string, string>> = {},
  heartbeat = new OrderedHeartbeat(),
): Promise<Composition> =>
  startComposition({ JWT_SECRET: "s".repeat(32), TRUST_PROXY: "1", ...env }, [], { heartbeat });

test("[A2] a stock provider that was refused is pinged instead of closed, and the backend is not asked again", async () => {
  const backend = await scriptedBackend();
  const server = await startComposition({ ...backend.env, ADMIN_TOKEN: adminToken }, [], {
    heartbeat: new Heartbeat({ secondMs: 50 }),
  });
  // The two that would end it, shorter: Hocuspocus' deadline for a login, and the provider's patience with silence.
  server.rooms.configuration.timeout = 500;
  const provider = { url: server.url, name: "room", messageReconnectTimeout: 3000 };
  const clients = [
    connect({ ...provider, token: "eve" }),
    connect({ ...provider, token: "ana", awareness: null }),
  ] as const;
  const pings = [0, 0];
  clients.forEach(({ provider: { configuration } }, i) =>
    configuration.websocketProvider.on("message", ({ data }: { data: ArrayBuffer }) => {
      if (isPing(new Uint8Array(data))) pings[i] = (pings[i] ?? 0) + 1;
    }),
  );
  // One at the door, one who was inside.
  for (let questions = 0; questions < 2; questions++) {
    const { token, answer } = await next(backend.questions, "a question");
    answer(token === "ana" ? 200 : 403);
  }
  expect(await clients[0].denied()).toBe("room-forbidden");
  await clients[1].synced();
  await callApi(server.url, "POST /api/users/ana/revoke");
  expect(await clients[1].denied()).toBe("access-revoked");
  const before = [...pings];
  await until("eight pings each", () => pings.every((count, i) => count >= (before[i] ?? 0) + 8), {
    timeoutMs: 30_000,
  });
  expect(clients.map(({ closes, denials }) => [closes.length, denials.length])).toEqual([
    [0, 1],
    [0, 1],
  ]);
  expect([backend.questions, server.usage().resting, server.usage().unauthenticated]).toEqual([[], 2, 2]);
  // The page asks again, on the socket that it has.
  await clients[0].provider.sendToken();
  clients[0].provider.startSync();
  (await next(backend.questions, "the question")).answer(200);
  await clients[0].synced();
  expect([server.usage().resting, server.usage().unauthenticated]).toEqual([1, 1]);
});

test("[A2] a refused socket is closed after an hour, and one of a provider that cannot be pinged is not kept at all", async () => {
  const heartbeat = new OrderedHeartbeat();
  const server = await startWithTokens({}, heartbeat);
  const client = await refused(server);
  await refused(server, "192.0.2.2", null);
  await refused(server, "192.0.2.3", "3.9.1");
  await until("one to rest", () => server.usage().resting === 1);
  for (let beat = 0; beat < 300; beat++) {
    heartbeat.beat();
    await client.caughtUp();
  }
  expect(client.close).toBeNull();
  expect(client.messages.filter(isPing).length).toBeGreaterThan(290);
  heartbeat.beat();
  expect((await client.closed()).code).toBe(4408);
  await until("it to be forgotten", () => server.usage().resting === 0);
});

test("[M17] a socket that was let in and then refused at the load is closed after a minute, where its provider cannot be pinged", async () => {
  const heartbeat = new OrderedHeartbeat();
  const refusing = {
    async onLoadDocument() {
      throw new Refusal(closeReasons.roomForbidden);
    },
  };
  const server = await startComposition({}, [refusing], { heartbeat });
  const client = await new RawClient(server.url).opened();
  client.login("room", { version: null });
  await client.refused("room", closeReasons.roomForbidden.reason);
  for (let beat = 0; beat < 5; beat++) {
    heartbeat.beat();
    await client.caughtUp();
  }
  expect(client.close).toBeNull();
  heartbeat.beat();
  expect((await client.closed(1000)).code).toBe(4408);
});

test("[M8] whoever was refused gives way when places are short, who rests longest first, and half of the places are not for rest", async () => {
  const server = await startWithTokens({ MAX_CONNECTIONS: "4" });
  const [first, second] = [await refused(server), await refused(server)];
  await until("both to rest", () => server.usage().resting === 2);
  const third = await refused(server);
  await third.caughtUp();
  expect(server.usage().resting).toBe(2);
  const others = [await new RawClient(server.url).opened(), await new RawClient(server.url).opened()];
  expect((await first.closed()).code).toBe(4408);
  expect(second.close).toBeNull();
  others.push(await new RawClient(server.url).opened());
  expect((await second.closed()).code).toBe(4408);
  expect(await refusedUpgrade(server.url)).toMatchObject({ status: 503 });
  expect([third.close, ...others.map(({ close }) => close)]).toEqual([null, null, null, null]);
  await until("the two to be gone", () => server.usage().unauthenticated === 4);
});

test("[M1] at an address that has all its places those of it that were refused give way, and of no other", async () => {
  const server = await startWithTokens({ MAX_CONNECTIONS_PER_IP: "2" });
  const [others, own] = [await refused(server, "192.0.2.2"), await refused(server, "192.0.2.1")];
  await until("both to rest", () => server.usage().resting === 2);
  const from = (address: string): RawClient =>
    new RawClient(server.url, { headers: { "x-forwarded-for": address } });
  await from("192.0.2.1").opened();
  await from("192.0.2.1").opened();
  expect((await own.closed()).code).toBe(4408);
  expect(others.close).toBeNull();
  expect(await refusedUpgrade(server.url, { headers: { "x-forwarded-for": "192.0.2.1" } })).toMatchObject({
    status: 429,
  });
});
