/** Those who keep the backend busy with questions that lead nowhere, and whoever only wants to come in meanwhile. */
import { MessageType } from "@hocuspocus/server";
import { expect, onTestFinished, test, vi } from "vitest";
import { BackendOrders } from "../../auth/backend-orders.ts";
import { rightsTiming, type RightsTiming } from "../../auth/rights-timing.ts";
import { Turns } from "../../auth/turns.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { adminToken, callApi } from "../support/room-api.ts";
import { next, scriptedBackend, type ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const AT_ONCE = 64;
const WAITING_OF_ADDRESS = 100;

const from = (server: Composition, address: string): Promise<RawClient> =>
  new RawClient(server.url, { headers: { "x-forwarded-for": address } }).opened();

async function start(
  env: Readonly<Record<string, string>> = {},
  timing: Partial<RightsTiming> = {},
): Promise<{ backend: ScriptedBackend; server: Composition }> {
  const backend = await scriptedBackend();
  const server = await startComposition(
    {
      ...backend.env,
      ADMIN_TOKEN: adminToken,
      TRUST_PROXY: "1",
      AUTH_WEBHOOK_TIMEOUT_MS: "20000",
      ...env,
    },
    [],
    { timing: { ...rightsTiming, ...timing } },
  );
  return { backend, server };
}

/** Ana, let in. */
async function inside({ backend, server }: Awaited<ReturnType<typeof start>>): Promise<RawClient> {
  const ana = await from(server, "192.0.2.1");
  ana.login("room", { token: "ana" });
  (await next(backend.questions, "the question")).answer(200);
  // Being let in is told before the room is loaded, and an order in between is for somebody on the way in.
  ana.firstSync("room");
  await ana.received("room", MessageType.Sync);
  return ana;
}

/** Counts the orders to ask again that have reached the server from here on: it is in this process. */
function countOrders(): () => number {
  const recheck = vi.spyOn(BackendOrders.prototype, "recheck");
  onTestFinished(() => recheck.mockRestore());
  return () => recheck.mock.calls.length;
}

let logins = 0;
/** Each in another room, with another token. */
async function logIn(client: RawClient, times: number): Promise<void> {
  for (let i = 0; i < times; i++) client.login(`room-${logins}`, { token: `eve ${logins++}` });
  await client.caughtUp();
}

const asked = (backend: ScriptedBackend, number: number): Promise<unknown> =>
  until(`${number} questions`, () => backend.questions.length >= number);

test("[A5] questions about clients that are gone by their turn are not asked, and nobody waits for them", async () => {
  const { backend, server } = await start();
  const attacker = await from(server, "192.0.2.1");
  await logIn(attacker, AT_ONCE + 30);
  await asked(backend, AT_ONCE);
  attacker.socket.terminate();
  await until("it to be gone", () => server.usage().addresses === 0);
  const ana = await from(server, "192.0.2.1");
  ana.login("room", { token: "ana" });
  await ana.caughtUp();
  backend.questions.shift()?.answer(401);
  await until("ana's question", () => backend.questions.some(({ token }) => token === "ana"));
  expect(backend.questions.map(({ token }) => token).at(-1)).toBe("ana");
  for (const { answer, token } of backend.questions.splice(0)) answer(token === "ana" ? 200 : 401);
  await ana.received("room", MessageType.Auth);
  expect(backend.questions).toEqual([]);
});

test("[A5] a question is asked as long as one of those who wait for its answer is there", async () => {
  const { backend, server } = await start();
  const attacker = await from(server, "192.0.2.1");
  await logIn(attacker, AT_ONCE);
  await asked(backend, AT_ONCE);
  const [first, second] = [await from(server, "192.0.2.2"), await from(server, "192.0.2.3")];
  for (const client of [first, second]) {
    client.login("room", { token: "ana" });
    await client.caughtUp();
  }
  first.socket.terminate();
  await until("the first to be gone", () => server.usage().addresses === 2);
  for (const { answer } of backend.questions.splice(0)) answer(401);
  (await next(backend.questions, "the question")).answer(200);
  await second.received("room", MessageType.Auth);
});

test("[A5] who fills the queue from one address is sent away for now (1013), and another's login is next but one", async () => {
  const { backend, server } = await start();
  const attackers = [await from(server, "192.0.2.1"), await from(server, "192.0.2.1")] as const;
  await logIn(attackers[0], 82);
  await logIn(attackers[1], 82);
  await asked(backend, AT_ONCE);
  const ana = await from(server, "192.0.2.2");
  ana.login("room", { token: "ana" });
  await ana.caughtUp();
  const third = await from(server, "192.0.2.1");
  await logIn(third, 1);
  expect(await third.closed()).toEqual({ code: 1013, reason: "server-busy" });
  const before = new Set(backend.questions.map(({ token }) => token));
  for (const { answer } of backend.questions.splice(0, 2)) answer(401);
  await asked(backend, AT_ONCE);
  const since = backend.questions.map(({ token }) => token).filter((token) => !before.has(token));
  expect(since).toHaveLength(2);
  expect(since).toContain("ana");
  expect(attackers.map(({ close }) => close)).toEqual([null, null]);
});

test("[A5] whoever is inside is asked about before all who wait to come in", async () => {
  const { backend, server } = await start();
  const ana = await inside({ backend, server });
  const attackers = [await from(server, "192.0.2.1"), await from(server, "192.0.2.1")] as const;
  for (const attacker of attackers) await logIn(attacker, (AT_ONCE + WAITING_OF_ADDRESS) / 2);
  await asked(backend, AT_ONCE);
  const order = callApi(server.url, "POST /api/users/ana/recheck");
  await until("the order", () => server.rooms.documents.get("room")?.getConnectionsCount() === 1);
  // The order is on its way in as well: each answer lets one of those who wait be asked, and hers soon.
  let answers = 0;
  await until("ana's question", () => {
    const own = backend.questions.find(({ token }) => token === "ana");
    own?.answer(200);
    if (own || answers++ > WAITING_OF_ADDRESS) return own;
    backend.questions.shift()?.answer(401);
    return undefined;
  });
  expect((await order).body).toMatchObject({ connections: 1, putOut: 0, unanswered: 0 });
  expect(ana.close).toBeNull();
});

test("[A5] whoever is inside does not wait for the answer to a login with the same token that is in line", async () => {
  const { backend, server } = await start();
  await inside({ backend, server });
  const attacker = await from(server, "192.0.2.2");
  await logIn(attacker, AT_ONCE + 10);
  await asked(backend, AT_ONCE);
  const tab = await from(server, "192.0.2.2");
  tab.login("room", { token: "ana" });
  await tab.caughtUp();
  const ordered = countOrders();
  const order = callApi(server.url, "POST /api/users/ana/recheck");
  await until("ordered", () => ordered() === 1);
  backend.questions.shift()?.answer(401);
  await asked(backend, AT_ONCE);
  const question = backend.questions.at(-1);
  expect(question?.token).toBe("ana");
  question?.answer(200);
  expect((await order).body).toMatchObject({ connections: 1, putOut: 0, unanswered: 0 });
});

test("[A5] what waits is bounded in all, and where that is full the longest line gives way", async () => {
  const turns = new Turns({
    atOnce: 1,
    maxWaiting: 4,
    maxWaitingInLane: 3,
    refusal: () => new Error("busy"),
  });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const order: string[] = [];
  const take = (lane: string, name: string, abandoned?: AbortSignal): Promise<string> =>
    turns
      .take({ lane, ...(abandoned && { abandoned }) }, async () => {
        await gate;
        order.push(name);
      })
      .then(
        () => "done",
        (error: Error) => error.message,
      );
  const gone = new AbortController();
  const running = take("a", "a0");
  const [a1, a2, a3] = [take("a", "a1"), take("a", "a2"), take("a", "a3")];
  const a4 = take("a", "a4");
  const [b1, b2] = [take("b", "b1", gone.signal), take("b", "b2")];
  // Nobody waits longer in line than the one who comes.
  const c1 = take("c", "c1");
  expect([await a4, await a3]).toEqual(["busy", "busy"]);
  gone.abort(new Error("gone"));
  expect(await b1).toBe("gone");
  open();
  const outcomes = await Promise.all([running, a1, a2, b2, c1]);
  expect([outcomes, turns.waiting]).toEqual([["done", "done", "busy", "done", "done"], 0]);
  expect(order).toEqual(["a0", "a1", "b2", "c1"]);
});

test("[A5] those without a lane go before all lanes, and lanes take turns", async () => {
  const turns = new Turns({ atOnce: 1 });
  const order: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const take = (lane: string | null, name: string): Promise<unknown> =>
    turns.take({ lane }, async () => {
      await gate;
      order.push(name);
    });
  const all = [take("a", "a0"), take("a", "a1"), take("a", "a2"), take("b", "b1"), take(null, "inside")];
  open();
  await Promise.all(all);
  expect(order).toEqual(["a0", "inside", "a1", "b1", "a2"]);
});

test("[A5] of many addresses 2,000 wait in all; beyond, the longest line gives way (1013)", async () => {
  const { backend, server } = await start();
  const clients = await Promise.all(Array.from({ length: 21 }, (_, i) => from(server, `192.0.2.${i + 1}`)));
  for (const client of clients.slice(0, 20)) await logIn(client, WAITING_OF_ADDRESS);
  await asked(backend, AT_ONCE);
  expect(clients.map(({ close }) => close).filter(Boolean)).toEqual([]);
  for (const client of clients.slice(20)) await logIn(client, WAITING_OF_ADDRESS);
  const busy = await until("one too many", () => clients.find(({ close }) => close !== null));
  expect(busy.close).toEqual({ code: 1013, reason: "server-busy" });
  expect(backend.questions).toHaveLength(AT_ONCE);
});

/** Inside, and asked about by an order that is followed by another before the backend's answer, `rounds` times. */
async function orderedAgain(
  rounds: number,
  status: number,
): Promise<{ ana: RawClient; backend: ScriptedBackend; outcomes: () => Promise<unknown[]> }> {
  const { backend, server } = await start();
  const ana = await inside({ backend, server });
  const ordered = countOrders();
  const recheck = (): ReturnType<typeof callApi> => callApi(server.url, "POST /api/users/ana/recheck");
  const orders = [recheck()];
  for (let round = 0; round < rounds; round++) {
    const question = await next(backend.questions, "a question of the order's");
    orders.push(recheck());
    await until("ordered again", () => ordered() === orders.length);
    question.answer(status);
  }
  return { ana, backend, outcomes: async () => (await Promise.all(orders)).map(({ body }) => body) };
}

test("[A15] an ordered re-check does not rely on a refusal from before the order", async () => {
  // The backend has looked, and the right is given back before its answer is here.
  const { ana, backend, outcomes } = await orderedAgain(1, 403);
  (await next(backend.questions, "another question")).answer(200);
  for (const outcome of await outcomes())
    expect(outcome).toMatchObject({ connections: 1, putOut: 0, unanswered: 0 });
  expect(ana.close).toBeNull();
});

test("[A15] a backend that refuses somebody inside three times means it, whatever it orders meanwhile", async () => {
  const { ana, backend } = await orderedAgain(3, 403);
  await ana.refused("room", "access-revoked");
  expect(backend.questions).toEqual([]);
});

test("[A15] no answer is no refusal: it is not asked for again because of an order", async () => {
  const { ana, backend, outcomes } = await orderedAgain(1, 500);
  for (const outcome of await outcomes()) expect(outcome).toMatchObject({ connections: 1, unanswered: 1 });
  expect([ana.close, backend.questions]).toEqual([null, []]);
});

test("[A15] a login that was still in line when the order came is asked about once", async () => {
  const { backend, server } = await start();
  const attacker = await from(server, "192.0.2.1");
  await logIn(attacker, AT_ONCE);
  await asked(backend, AT_ONCE);
  const ana = await from(server, "192.0.2.2");
  ana.login("room", { token: "ana" });
  await ana.caughtUp();
  await callApi(server.url, "POST /api/users/ana/revoke");
  for (const { answer } of backend.questions.splice(0)) answer(401);
  (await next(backend.questions, "the question")).answer(200);
  await ana.received("room", MessageType.Auth);
});

test("[A13] an ordered re-check of a user in many rooms asks no more than 16 questions at once", async () => {
  const { backend, server } = await start();
  const ana = await from(server, "192.0.2.1");
  for (let i = 0; i < 40; i++) ana.login(`room-${i}`, { token: "ana" });
  await asked(backend, 40);
  for (const { answer } of backend.questions.splice(0)) answer(200);
  const isInside = (index: number): boolean =>
    server.rooms.documents.get(`room-${index}`)?.getConnectionsCount() === 1;
  await until("all inside", () => Array.from({ length: 40 }).every((_, index) => isInside(index)));
  const order = callApi(server.url, "POST /api/users/ana/recheck");
  let most = 0;
  for (let answers = 0; answers < 40; answers++) {
    await asked(backend, Math.min(16, 40 - answers));
    most = Math.max(most, backend.questions.length);
    backend.questions.shift()?.answer(200);
  }
  expect([(await order).body["connections"], most]).toEqual([40, 16]);
});

test("[A6] of what the backend says one time after the other the last holds", async () => {
  const { backend, server } = await start();
  await inside({ backend, server });
  const [member] = server.rooms.documents.get("room")?.getConnections() ?? [];
  for (const access of ["read", "write", "read"] as const) {
    const order = callApi(server.url, "POST /api/users/ana/recheck");
    (await next(backend.questions, "the re-check")).answer(200, { access });
    await order;
    expect([member?.readOnly, member?.context.access]).toEqual([access === "read", access]);
  }
});

test("[A11] a token that is too long is not kept until the backend has answered about the one before", async () => {
  const { backend, server } = await start();
  const ana = await inside({ backend, server });
  ana.login("room", { token: "ana fresh", version: null });
  await next(backend.questions, "the question about it");
  ana.login("room", { token: "x".repeat(20_000), version: null });
  await ana.refused("room", "token-invalid");
});

test.for([200, 401])(
  "[A11] who leaves while the backend looks at their fresh token, and answers %i, leaves no right behind, and nobody is put out",
  async (status) => {
    const { backend, server } = await start();
    const ana = await inside({ backend, server });
    ana.login("room", { token: "ana fresh", version: null });
    const question = await next(backend.questions, "the question about it");
    ana.socket.terminate();
    await until("gone", () => server.usage().addresses === 0);
    question.answer(status);
    // A barrier: the answer is here.
    for (let i = 0; i < 3; i++) await callApi(server.url, "GET /api/rooms/room/presence");
    const rechecked = await callApi(server.url, "POST /api/users/ana/recheck");
    expect([rechecked.body["connections"], server.log.events("put-out")]).toEqual([0, []]);
  },
);

test("[A12] whose right runs out while the backend does not answer about their fresh token is sent away for now (4502)", async () => {
  const { backend, server } = await start({}, { sweepMs: 20 });
  const ana = await from(server, "192.0.2.1");
  ana.login("room", { token: "ana" });
  // Two seconds from now, with those for clocks that differ.
  const expiresAt = Date.now() / 1000 - 3;
  (await next(backend.questions, "the question")).answer(200, { expiresAt });
  await ana.received("room", MessageType.Auth);
  ana.login("room", { token: "ana fresh", version: null });
  await next(backend.questions, "the question about it");
  expect(await ana.closed()).toEqual({ code: 4502, reason: "auth-unavailable" });
});

test("[A12] a stranger's question that fails again and again puts nobody out about whom the backend would answer", async () => {
  const { backend, server } = await start({ AUTH_RECHECK_SECONDS: "2" }, { sweepMs: 20, graceMs: 100 });
  const ana = await inside({ backend, server });
  // A login between the re-check before and the next: the backend "fails" from then on, as far as can be seen.
  for (let rechecks = 0; rechecks < 2;) {
    const eve = await from(server, "192.0.2.2");
    await logIn(eve, 1);
    const question = await next(backend.questions, "a question");
    if (question.token === "ana") rechecks++;
    question.answer(question.token === "ana" ? 200 : 500);
    eve.socket.terminate();
  }
  expect([ana.close, server.log.events("put-out")]).toEqual([null, []]);
});
