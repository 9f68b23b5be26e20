/** Rights that change or end while somebody is inside: who notices what, how fast, and who comes back. */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Extension } from "@hocuspocus/server";
import jwt from "jsonwebtoken";
import { expect, onTestFinished, test, vi } from "vitest";
import { Expiry } from "../auth/expiry.ts";
import type { Right } from "../auth/right.ts";
import { rightsTiming } from "../auth/rights-timing.ts";
import type { Identity } from "../lib/identity.ts";
import type { Member } from "../members/member.ts";
import { jwtSecret, startBackend, webhookSecret, type Backend } from "./support/backend.ts";
import { connect, type Client } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { freePort } from "./support/free-port.ts";
import { adminToken, callApi } from "./support/room-api.ts";
import { until } from "./support/until.ts";

const room = "task-list-1";
const timing = { ...rightsTiming, sweepMs: 20 };

interface Setting {
  readonly backend?: Readonly<Record<string, string>>;
  readonly server?: Readonly<Record<string, string>>;
  readonly graceMs?: number;
}

async function start(setting: Setting = {}): Promise<{
  backend: Backend;
  server: Composition;
  enter: (user: string, name?: string) => Promise<Client>;
}> {
  const backend = await startBackend(setting.backend);
  const server = await startComposition(
    { AUTH_RECHECK_SECONDS: "0", ADMIN_TOKEN: adminToken, ...backend.serverEnv, ...setting.server },
    [],
    { timing: { ...timing, graceMs: setting.graceMs ?? timing.graceMs } },
  );
  const enter = async (user: string, name = room): Promise<Client> =>
    connect({ url: server.url, name, token: await backend.login(user) }).synced();
  return { backend, server, enter };
}

const notice = (client: Client): unknown => [client.closes, client.denials];
const nothing = [[], []];

/** Runs it and says how long until `condition` holds, ms. */
async function timed(run: () => Promise<unknown>, condition: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await run();
  await until("the effect", condition);
  return performance.now() - startedAt;
}

const secondsFrom = (token: string): number => (jwt.decode(token) as { exp: number }).exp;

test("[A10] a right that ends is renewed with a token that the provider fetches, and nobody notices", async () => {
  const { backend, server } = await start({ backend: { TOKEN_TTL_SECONDS: "3" } });
  const tokens: string[] = [];
  const token = async (): Promise<string> => {
    tokens.push(await backend.login("ana"));
    return tokens.at(-1) ?? "";
  };
  const client = await connect({ url: server.url, name: room, token }).synced();
  const end = (secondsFrom(tokens[0] ?? "") + 5) * 1000;
  // Until the first token is no good any more, whatever the clocks.
  await until("the first right's end", () => Date.now() > end + 200, { timeoutMs: 15_000 });
  client.text.insert(0, "still here");
  await client.saved();
  expect(notice(client)).toEqual(nothing);
  expect(tokens.length).toBeGreaterThan(2);
  // Not before half of a token's time is over.
  expect(tokens.length).toBeLessThan(9);
});

test("[A10] without a fresh token in time the socket is closed with 4505, and the client comes back with a new login", async () => {
  const { backend, server, enter } = await start({ backend: { TOKEN_TTL_SECONDS: "3" } });
  const first = await backend.login("ana");
  let current = first;
  let asked = 0;
  const client = await connect({
    url: server.url,
    name: room,
    token: () => {
      asked++;
      return current;
    },
  }).synced();
  // The question, answered with what the server has already.
  await until("a question for a fresh token", () => asked === 2);
  current = jwt.sign({ sub: "ana", name: "Ana" }, jwtSecret, { expiresIn: 60 });
  await until("the close", () => client.closes.length > 0, { timeoutMs: 20_000 });
  expect(client.closes).toEqual([{ code: 4505, reason: "session-expired" }]);
  expect(Date.now()).toBeGreaterThanOrEqual((secondsFrom(first) + 5) * 1000);
  await until("the client to come back", () => client.provider.synced && asked >= 3);
  client.text.insert(0, "back");
  await client.saved();
  expect(client.denials).toEqual([]);
  expect((await enter("ben")).content).toBe("back");
});

/** Two hours later, for everything in this process. */
function jumpAhead(): void {
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 3600 * 1000 });
}

const signForAnHour = (): string =>
  jwt.sign({ sub: "ana", rooms: { [room]: "write" } }, jwtSecret, { expiresIn: "1h" });

/** So many seconds before the end of a token of an hour that was signed at `signedAt`, for everything in this process. */
const setSecondsBeforeEnd = (signedAt: number, seconds: number): void =>
  void vi.setSystemTime(signedAt + (3600 - seconds) * 1000);

test("[A10] a tab that comes with the same token after the others were asked is asked as well", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [], { timing });
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ["Date"] });
  const signedAt = Date.now();
  const shared = signForAnHour();
  const questions = [0, 0];
  const enter = (tab: 0 | 1): Promise<Client> =>
    connect({
      url: server.url,
      name: room,
      token: () => {
        questions[tab] = (questions[tab] ?? 0) + 1;
        return shared;
      },
    }).synced();
  const first = await enter(0);
  setSecondsBeforeEnd(signedAt, 25);
  await until("the first to be asked", () => questions[0] === 2);
  const second = await enter(1);
  // Not before half of the time is over that it came with.
  setSecondsBeforeEnd(signedAt, 12);
  await until("the second to be asked", () => questions[1] === 2);
  expect([notice(first), notice(second)]).toEqual([nothing, nothing]);
});

test("[A10] a provider that answers with the token that it had cached is asked again at half of what is left", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [], { timing });
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ["Date"] });
  const signedAt = Date.now();
  const cached = signForAnHour();
  let questions = 0;
  const token = (): string => (questions++ < 2 ? cached : signForAnHour());
  const client = await connect({ url: server.url, name: room, token }).synced();
  setSecondsBeforeEnd(signedAt, 25);
  await until("a question", () => questions === 2);
  setSecondsBeforeEnd(signedAt, 12);
  await until("another, and the renewal", () => server.log.events("renewed").length > 0);
  setSecondsBeforeEnd(signedAt, -60);
  client.text.insert(0, "still here");
  await client.saved();
  expect([questions, notice(client)]).toEqual([3, nothing]);
});

test("[A10] those whose rights end in one moment are asked for fresh tokens over half of the last minute", () => {
  const end = 1_000_000;
  const asked = new Set<number>();
  const rights = [0, 0.5, 0.9].map((phase): Right => {
    const member = { requestToken: () => void asked.add(phase) } as unknown as Member;
    const attempt = { token: "", room, ip: "", origin: null, userAgent: null, socketId: "" };
    const identity: Identity = { user: { id: "ana", name: "Ana" }, access: "write", expiresAt: end / 1000 };
    return { attempt, identity, confirmedAt: 0, members: [member], phase };
  });
  const expiry = new Expiry({
    rights: Object.assign(rights, { putOut: () => {} }),
    leadMs: rightsTiming.leadMs,
    awaitsAnswer: () => false,
  });
  const askedAt = (secondsBefore: number): number => {
    expiry.sweep(end - secondsBefore * 1000);
    return asked.size;
  };
  expect([61, 60, 46, 45, 34, 33].map(askedAt)).toEqual([0, 1, 1, 2, 2, 3]);
});

test("[A10] a client that has no fresh token when it comes back is refused for good", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [], { timing });
  const client = await connect({ url: server.url, name: room, token: signForAnHour() }).synced();
  jumpAhead();
  await client.closedWith(4505);
  expect(await client.denied()).toBe("token-expired");
});

test("[A10] a clock that jumps ahead (a machine that slept) makes everybody log in anew, and one that jumps back nobody", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [], { timing });
  const client = await connect({ url: server.url, name: room, token: signForAnHour }).synced();
  const today = Date.now();
  jumpAhead();
  await client.closedWith(4505);
  await client.synced();
  vi.setSystemTime(today);
  client.text.insert(0, "still here");
  await client.saved();
  expect([client.closes.length, client.denials]).toEqual([1, []]);
});

test("[A10] all whose rights in one room end in the same moment are on their way back within a second", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [], { timing });
  const clients = await Promise.all(
    Array.from({ length: 15 }, () => connect({ url: server.url, name: room, token: signForAnHour }).synced()),
  );
  const took = await timed(
    async () => jumpAhead(),
    () => clients.every(({ closes }) => closes.length > 0),
  );
  expect(took).toBeLessThan(2000);
  await Promise.all(clients.map((client) => client.synced()));
});

test("[A11] a fresh token may say another access, which holds at once and is told to the provider", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [], { timing });
  let access = "read";
  const token = (): string => jwt.sign({ sub: "ana", rooms: { [room]: access }, jti: access }, jwtSecret);
  const client = await connect({ url: server.url, name: room, token }).synced();
  expect(client.provider.authorizedScope).toBe("readonly");
  access = "write";
  await client.provider.sendToken();
  await until("write access", () => client.provider.authorizedScope === "read-write");
  client.text.insert(0, "written");
  await client.saved();
  expect(notice(client)).toEqual(nothing);
});

test("[A11] the `context` of a team's hooks follows each change", async () => {
  const seen: string[] = [];
  const watching: Extension<Identity> = {
    async beforeHandleMessage({ context: { access, expiresAt }, context, connection }) {
      expect(context).toBe(connection.context);
      const now = `${access} ${expiresAt === undefined ? "for good" : "for a time"}`;
      if (seen.at(-1) !== now) seen.push(now);
    },
  };
  const server = await startComposition({ JWT_SECRET: jwtSecret }, [watching], { timing });
  const claims = [
    { rooms: { [room]: "read" }, exp: Math.floor(Date.now() / 1000) + 3600 },
    { rooms: { [room]: "write" } },
    { rooms: { [room]: "read" } },
  ];
  let current = claims[0];
  const token = (): string => jwt.sign({ sub: "ana", ...current }, jwtSecret);
  const client = await connect({ url: server.url, name: room, token }).synced();
  for (current of claims.slice(1)) {
    const before = seen.length;
    await client.provider.sendToken();
    await until("the change", () => {
      client.provider.sendStateless("");
      return seen.length > before;
    });
  }
  expect(seen).toEqual(["read for a time", "write for good", "read for good"]);
  expect([server.guard.failures, notice(client)]).toEqual([0, nothing]);
});

test("[A6] a right that was narrowed makes read-only from the next re-check, and one that was widened the other way round", async () => {
  const { backend, enter } = await start({ server: { AUTH_RECHECK_SECONDS: "1" } });
  const [ana, ben] = [await enter("ana"), await enter("ben")];
  await backend.grant(room, "ben", "read");
  await until("ben to read only", () => ben.provider.authorizedScope === "readonly");
  ben.text.insert(0, "not any more");
  // A barrier: what ana writes later arrives, so what ben wrote before would have.
  ana.text.insert(0, "ana");
  await ana.saved();
  await until("ana's edit", () => ben.content.includes("ana"));
  expect([ana.content, ben.provider.hasUnsyncedChanges]).toEqual(["ana", true]);
  const cleo = await enter("cleo");
  await cleo.saved();
  cleo.text.insert(0, "cleo");
  cleo.text.insert(4, " and ");
  await backend.grant(room, "cleo", "write");
  await until("cleo to write", () => cleo.provider.authorizedScope === "read-write");
  // What was written before is taken, and all of it is called saved.
  await cleo.saved();
  await until("cleo's edits", () => ana.content === "cleo and ana");
  expect([notice(ana), notice(ben), notice(cleo)]).toEqual([nothing, nothing, nothing]);
});

test("[A6] what an extension made read-only at the login stays so when a re-check confirms the right", async () => {
  const careful: Extension<Identity> = {
    async onAuthenticate({ connectionConfig }) {
      connectionConfig.readOnly = true;
    },
  };
  const server = await startComposition({ JWT_SECRET: jwtSecret, ADMIN_TOKEN: adminToken }, [careful]);
  const token = jwt.sign({ sub: "ana", rooms: { [room]: "write" } }, jwtSecret);
  const ana = await connect({ url: server.url, name: room, token }).synced();
  await connect({ url: server.url, name: room, token }).synced();
  expect((await callApi(server.url, "POST /api/users/ana/recheck")).body).toMatchObject({ connections: 2 });
  const connections = server.rooms.documents.get(room)?.getConnections() ?? [];
  expect(connections.map(({ readOnly }) => readOnly)).toEqual([true, true]);
  expect(ana.provider.authorizedScope).toBe("readonly");
});

test("[A6] a right that was withdrawn ends at the next re-check, for good; the same user gets in once it is given back", async () => {
  const { backend, enter } = await start({ server: { AUTH_RECHECK_SECONDS: "1" } });
  const [ana, ben] = [await enter("ana"), await enter("ben")];
  await backend.withdraw(room, "ben");
  expect(await ben.denied()).toBe("access-revoked");
  ben.text.insert(0, "outside");
  ana.text.insert(0, "inside");
  await ana.saved();
  expect(ana.content).toBe("inside");
  expect([ben.closes, notice(ana)]).toEqual([[], nothing]);
  await backend.grant(room, "ben", "write");
  expect((await enter("ben")).content).toBe("inside");
});

test("[A6] a token that the backend does not know any more closes the socket at the next re-check; one with a new token is back", async () => {
  const { backend, server } = await start({ server: { AUTH_RECHECK_SECONDS: "1" } });
  const token = (): Promise<string> => backend.login("ana");
  const ana = await connect({ url: server.url, name: room, token }).synced();
  await backend.signOut("ana");
  await ana.closedWith(4505);
  await ana.synced();
  expect(ana.denials).toEqual([]);
});

test("[A12] a fresh token that the backend could not be asked about is asked about again", async () => {
  const { backend, server, enter } = await start();
  const ana = await enter("ana");
  await backend.fault("error500");
  ana.provider.configuration.token = jwt.sign({ sub: "ana", jti: "fresh" }, jwtSecret, { expiresIn: 60 });
  await ana.provider.sendToken();
  await until("a question in vain", () => server.log.events("recheck-failed").length > 0);
  await backend.fault("none");
  await until("the renewal", () => server.log.events("renewed").length > 0);
  expect(notice(ana)).toEqual(nothing);
});

test("[A12] while the backend does not answer those inside stay, nobody new gets in, and nobody inside notices", async () => {
  const { backend, server, enter } = await start({ server: { AUTH_RECHECK_SECONDS: "1" } });
  const ana = await enter("ana");
  await backend.fault("error500");
  const before = (await backend.calls()).calls;
  await until("three re-checks without an answer", async () => (await backend.calls()).calls >= before + 3);
  const ben = connect({ url: server.url, name: room, token: await backend.login("ben") });
  await ben.closedWith(4502);
  ana.text.insert(0, "ana");
  await ana.saved();
  await backend.fault("none");
  await ben.synced();
  expect(notice(ana)).toEqual(nothing);
});

test("[A12] an outage longer than the grace puts everybody out for now, and they are back once it is over", async () => {
  const { backend, enter } = await start({ server: { AUTH_RECHECK_SECONDS: "1" }, graceMs: 1500 });
  const ana = await enter("ana");
  await backend.fault("error500");
  expect(await ana.closedWith(4502)).toEqual({ code: 4502, reason: "auth-unavailable" });
  await backend.fault("none");
  await ana.synced();
  // And stays: the outage is over for those who have not been asked about yet as well.
  const before = (await backend.calls()).calls;
  await until("three re-checks", async () => (await backend.calls()).calls >= before + 3);
  ana.text.insert(0, "back");
  await ana.saved();
  expect([ana.closes.filter(({ code }) => code === 4502).length, ana.denials]).toEqual([1, []]);
});

test("[A12] in an outage everybody is out after the grace, also those about whom there was no time to ask", async () => {
  const { backend, server } = await start({
    server: { AUTH_RECHECK_SECONDS: "1", AUTH_WEBHOOK_TIMEOUT_MS: "2000" },
    graceMs: 500,
  });
  const token = await backend.login("ana");
  const names = Array.from({ length: 60 }, (_, index) => `room-${index}`);
  await Promise.all(names.map((name) => backend.grant(name, "ana", "write")));
  const clients = names.map((name) => connect({ url: server.url, name, token }));
  await Promise.all(clients.map((client) => client.synced()));
  const took = await timed(
    () => backend.fault("hang"),
    () => server.log.events("put-out").length >= 60,
  );
  // 16 at once and two seconds each would be eight, and then the grace.
  expect(took).toBeLessThan(7000);
});

test("[A12] whom the backend cannot answer about is out after the grace, though it answers about others", async () => {
  let isBroken = false;
  const backend = createHttpServer((request, response) => {
    void text(request).then((body) => {
      const { token } = JSON.parse(body) as { token: string };
      response
        .writeHead(isBroken && token === "ana" ? 500 : 200)
        .end(JSON.stringify({ user: { id: token, name: token }, access: "write" }));
    });
  });
  await once(backend.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    backend.close();
    backend.closeAllConnections();
  });
  const server = await startComposition(
    {
      AUTH_WEBHOOK_URL: `http://127.0.0.1:${(backend.address() as AddressInfo).port}/`,
      AUTH_WEBHOOK_SECRET: webhookSecret,
      AUTH_RECHECK_SECONDS: "1",
    },
    [],
    { timing: { ...timing, graceMs: 2000 } },
  );
  const [ana, ben] = await Promise.all(
    ["ana", "ben"].map((token) => connect({ url: server.url, name: room, token }).synced()),
  );
  isBroken = true;
  await ana?.closedWith(4502);
  expect(ben && notice(ben)).toEqual(nothing);
});

test("[A13] tabs with one token in one room are one question of the re-check", async () => {
  const { backend, server } = await start({ server: { AUTH_RECHECK_SECONDS: "1" } });
  const token = await backend.login("ana");
  await Promise.all(
    Array.from({ length: 10 }, () => connect({ url: server.url, name: room, token }).synced()),
  );
  await backend.resetCalls();
  const took = await timed(
    async () => {},
    async () => (await backend.calls()).calls >= 3,
  );
  // Each tab for itself would be ten questions a second.
  expect(took).toBeGreaterThan(1500);
});

test("[A13] the re-check asks at most 16 questions at once, and leaves the others to logins", async () => {
  const { backend, server, enter } = await start({
    server: { AUTH_RECHECK_SECONDS: "1", AUTH_WEBHOOK_TIMEOUT_MS: "10000" },
  });
  const token = await backend.login("ana");
  const names = Array.from({ length: 40 }, (_, index) => `room-${index}`);
  await Promise.all(names.map((name) => backend.grant(name, "ana", "write")));
  await Promise.all(names.map((name) => connect({ url: server.url, name, token }).synced()));
  await backend.fault("slow", 1000);
  await backend.resetCalls();
  await until("the re-check at its limit", async () => (await backend.calls()).maxInFlight >= 16);
  const took = await timed(
    () => enter("ben"),
    () => true,
  );
  // Behind 40 slow questions, 16 at once, it would be three seconds.
  expect(took).toBeLessThan(2000);
  // One of them the login's.
  expect((await backend.calls()).maxInFlight).toBeLessThanOrEqual(17);
});

test("[A14] a user who is revoked is out of every room within a second, for good; a later login that the backend admits works", async () => {
  const { server, enter } = await start();
  const [tab, other, ben] = [await enter("ana"), await enter("ana", "task-list-2"), await enter("ben")];
  const took = await timed(
    async () => {
      const { status, body } = await callApi(server.url, "POST /api/users/ana/revoke");
      expect([status, body]).toEqual([200, { user: "ana", connections: 2 }]);
    },
    () => tab.denials.length > 0 && other.denials.length > 0,
  );
  expect(took).toBeLessThan(1000);
  expect([tab.denials, other.denials]).toEqual([["access-revoked"], ["access-revoked"]]);
  tab.text.insert(0, "outside");
  ben.text.insert(0, "inside");
  await ben.saved();
  expect((await enter("ana")).content).toBe("inside");
  expect([tab.closes, notice(ben)]).toEqual([[], nothing]);
  // The page asks again on the socket that it has: "you were put out; enter again?"
  await tab.provider.sendToken();
  tab.provider.startSync();
  await tab.saved();
  await until("what was written outside", () => ben.content.includes("outside"));
});

test("[A14] one user is kicked out of a room, or everybody, within a second, and out of no other", async () => {
  const { backend, server, enter } = await start();
  const name = "team/plan";
  await backend.grant("team%2Fplan", "ana", "write");
  await backend.grant("team%2Fplan", "ben", "write");
  const [ana, ben, elsewhere] = [await enter("ana", name), await enter("ben", name), await enter("ana")];
  const kick = (query: string): ReturnType<typeof callApi> =>
    callApi(server.url, `POST /api/rooms/team%2Fplan/kick${query}`);
  const one = await timed(
    async () => expect((await kick("?user=ben")).body).toEqual({ room: name, user: "ben", connections: 1 }),
    () => ben.denials.length > 0,
  );
  expect(notice(ana)).toEqual(nothing);
  const again = await enter("ben", name);
  const all = await timed(
    async () => expect((await kick("")).body).toEqual({ room: name, connections: 2 }),
    () => ana.denials.length > 0 && again.denials.length > 0,
  );
  expect([ana.denials, ben.denials, again.denials]).toEqual([["kicked"], ["kicked"], ["kicked"]]);
  expect([one < 1000, all < 1000, notice(elsewhere)]).toEqual([true, true, nothing]);
});

test("[A14] a re-check that the backend orders holds within a second, and says what came of it", async () => {
  const { backend, server, enter } = await start();
  const [one, two, ben] = [await enter("ana"), await enter("ana", "task-list-2"), await enter("ben")];
  const order = (user: string): ReturnType<typeof callApi> =>
    callApi(server.url, `POST /api/users/${user}/recheck`);
  expect((await order("ana")).body).toEqual({ user: "ana", connections: 2, putOut: 0, unanswered: 0 });
  await backend.withdraw(room, "ana");
  await backend.grant("task-list-2", "ana", "read");
  const took = await timed(
    async () =>
      expect((await order("ana")).body).toEqual({ user: "ana", connections: 2, putOut: 1, unanswered: 0 }),
    () => one.denials.length > 0 && two.provider.authorizedScope === "readonly",
  );
  expect([took < 1000, one.denials, notice(two), notice(ben)]).toEqual([
    true,
    ["access-revoked"],
    nothing,
    nothing,
  ]);
  await backend.fault("error500");
  expect((await order("ana")).body).toEqual({ user: "ana", connections: 1, putOut: 0, unanswered: 1 });
  expect(notice(two)).toEqual(nothing);
});

/** Tokens alone decide, and the clock stands still until it is set. */
async function startWithTokens(): Promise<{
  now: number;
  sign: (claims: object, sub?: string) => string;
  enter: (token: string | (() => string)) => Client;
  revoke: (query?: string) => ReturnType<typeof callApi>;
}> {
  const server = await startComposition({ JWT_SECRET: jwtSecret, ADMIN_TOKEN: adminToken }, [], { timing });
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ["Date"] });
  return {
    now: Math.floor(Date.now() / 1000),
    sign: (claims, sub = "ana") => jwt.sign({ sub, rooms: { [room]: "write" }, ...claims }, jwtSecret),
    enter: (token) => connect({ url: server.url, name: room, token }),
    revoke: (query = "") => callApi(server.url, `POST /api/users/ana/revoke${query}`),
  };
}

test("[A16] where tokens alone decide, one issued up to the time of the order gets in no more, and one of the next second does", async () => {
  const { now, sign, enter, revoke } = await startWithTokens();
  const before = now - 1000;
  const [old, next] = [sign({ iat: before }), sign({ iat: before + 1 })];
  const [ana, ben] = [await enter(old).synced(), await enter(sign({}, "ben")).synced()];
  expect((await revoke(`?before=${before}`)).body).toEqual({ user: "ana", connections: 1 });
  expect(await ana.denied()).toBe("access-revoked");
  expect(await enter(old).denied()).toBe("access-revoked");
  // Nobody can say whether it is older.
  expect(await enter(jwt.sign({ sub: "ana" }, jwtSecret, { noTimestamp: true })).denied()).toBe(
    "access-revoked",
  );
  await enter(next).synced();
  // One that comes late lets nothing in again.
  await revoke(`?before=${before - 100}`);
  expect(await enter(old).denied()).toBe("access-revoked");
  expect(notice(ben)).toEqual(nothing);
});

test("[A16] without the time of the order a token of within 5 s is sent back for another one (4505), and refused for good a minute later", async () => {
  const { now, sign, enter, revoke } = await startWithTokens();
  await revoke();
  expect(await enter(sign({ iat: now - 5 })).denied()).toBe("access-revoked");
  for (const iat of [now - 4, now + 5]) {
    const tokens = [sign({ iat }), sign({ iat: now + 6 })];
    const ana = enter(() => tokens.shift() ?? "");
    expect(await ana.closedWith(4505)).toEqual({ code: 4505, reason: "session-expired" });
    // It has fetched another one.
    await ana.synced();
    expect(ana.denials).toEqual([]);
  }
  vi.setSystemTime((now + 61) * 1000);
  expect(await enter(sign({ iat: now + 5 })).denied()).toBe("access-revoked");
  await enter(sign({ iat: now + 6 })).synced();
});

test.for([-4, 4])(
  "[A16] with a clock %i s off the backend's, what the example backend revokes is void, and its next token good",
  async (skewSeconds) => {
    const port = await freePort();
    const backend = await startBackend({
      TOKEN_ROOMS: "1",
      COLLAB_URL: `http://127.0.0.1:${port}`,
      COLLAB_ADMIN_TOKEN: adminToken,
    });
    const env = { JWT_SECRET: jwtSecret, ADMIN_TOKEN: adminToken, PORT: `${port}` };
    const server = await startComposition(env, [], { timing });
    // The server's clock; the backend is another process.
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({
      toFake: ["Date"],
      now: Date.now() + skewSeconds * 1000,
    });
    const enter = (token: string): Client => connect({ url: server.url, name: room, token });
    const old = await backend.login("ana");
    const ana = await enter(old).synced();
    await backend.signOut("ana");
    expect(await ana.denied()).toBe("access-revoked");
    expect(await enter(old).denied()).toBe("access-revoked");
    const issuedAt = (token: string): number => (jwt.decode(token) as { iat: number }).iat;
    // Of the second after the sign-out.
    const signedOutBy = issuedAt(await backend.login("ana"));
    const fresh = await until("a token of the next second", async () => {
      const token = await backend.login("ana");
      return issuedAt(token) > signedOutBy ? token : null;
    });
    const again = await enter(fresh).synced();
    expect(notice(again)).toEqual(nothing);
  },
);

test("[A17] the room API: nobody there is 200 with none, a stranger 401, no ADMIN_TOKEN 404, another method 405", async () => {
  const { server, enter } = await start();
  const ana = await enter("ana");
  const api = (...parameters: [string, Record<string, string>?]): ReturnType<typeof callApi> =>
    callApi(server.url, ...parameters);
  expect((await api("POST /api/users/nobody/revoke")).body).toEqual({ user: "nobody", connections: 0 });
  expect((await api("POST /api/rooms/no%2Fwhere/kick")).body).toEqual({ room: "no/where", connections: 0 });
  expect((await api("GET /api/rooms/no%2Fwhere/presence")).body).toEqual({ room: "no/where", users: [] });
  expect((await api(`GET /api/rooms/${room}/presence`)).body).toMatchObject({
    room,
    users: [{ id: "ana", name: "Ana", connections: 1, access: "write" }],
  });
  // Everybody would be out over a typing error.
  const ben = await enter("ben");
  for (const query of ["?user=", "?usr=ben", "?user=ana&user=ben", "?user=ana&user=", "?user=ana&force=1"])
    expect((await api(`POST /api/rooms/${room}/kick${query}`)).status).toBe(400);
  expect((await api(`POST /api/rooms/${room}/kick?user=ana?b`)).body["user"]).toBe("ana?b");
  for (const route of [
    "POST /api/users/ana/revoke?room=a",
    ...["", "1.5", "-1", "1e3", "soon", "1&before=2", Date.now(), Math.floor(Date.now() / 1000) + 3700].map(
      (before) => `POST /api/users/ana/revoke?before=${before}`,
    ),
    "POST /api/users/ana/recheck?room=a",
    `GET /api/rooms/${room}/presence?user=a&user=b`,
  ])
    expect((await api(route)).status).toBe(400);
  expect([notice(ana), notice(ben)]).toEqual([nothing, nothing]);
  for (const route of ["users/ana/revoke", "users/ana/recheck", `rooms/${room}/kick`]) {
    expect(await api(`GET /api/${route}`)).toMatchObject({ status: 405, allow: "POST" });
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: adminToken }])
      expect((await api(`POST /api/${route}`, headers)).status).toBe(401);
  }
  const closed = await startComposition();
  expect((await callApi(closed.url, "POST /api/users/ana/revoke")).status).toBe(404);
});

test("[A18] the example backend tells of what it changes: withdrawn, narrowed and signed out hold within a second", async () => {
  // Each has to know the other's address before it starts.
  const port = await freePort();
  const collab = { COLLAB_URL: `http://127.0.0.1:${port}/`, COLLAB_ADMIN_TOKEN: adminToken };
  const { backend, enter, server } = await start({ backend: collab, server: { PORT: `${port}` } });
  const [ana, ben, cleo] = [await enter("ana"), await enter("ben"), await enter("cleo")];
  const narrowed = await timed(
    () => backend.grant(room, "ben", "read"),
    () => ben.provider.authorizedScope === "readonly",
  );
  const withdrawn = await timed(
    () => backend.withdraw(room, "cleo"),
    () => cleo.denials.length > 0,
  );
  const old = await backend.login("ana");
  const signedOut = await timed(
    () => backend.signOut("ana"),
    () => ana.denials.length > 0,
  );
  expect([ana.denials, ben.denials, cleo.denials]).toEqual([["access-revoked"], [], ["access-revoked"]]);
  expect(Math.max(narrowed, withdrawn, signedOut)).toBeLessThan(1000);
  // The backend knows the old tokens no more; a new login works.
  expect(await connect({ url: server.url, name: room, token: old }).denied()).toBe("token-invalid");
  await enter("ana");
});

test("[A18] the example backend changes rights also while the collaboration server is away", async () => {
  const collab = { COLLAB_URL: `http://127.0.0.1:${await freePort()}`, COLLAB_ADMIN_TOKEN: adminToken };
  const { backend, server } = await start({ backend: collab });
  await backend.withdraw(room, "ben");
  const ben = connect({ url: server.url, name: room, token: await backend.login("ben") });
  expect(await ben.denied()).toBe("room-forbidden");
});

test("[A18] the example backend gives a fresh token for one that is still good, and for no other", async () => {
  const { backend } = await start();
  const refresh = (token: string): Promise<Response> =>
    fetch(`${backend.url}/auth/refresh`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  const token = await backend.login("ana");
  const answer = (await (await refresh(token)).json()) as { token: string };
  expect(jwt.verify(answer.token, jwtSecret)).toMatchObject({ sub: "ana" });
  expect((await refresh(`${token}x`)).status).toBe(401);
  await backend.signOut("ana");
  expect((await refresh(token)).status).toBe(401);
});

test("[L2] no token appears in the log, whatever becomes of it", async () => {
  const { backend, server, enter } = await start({ server: { LOG_LEVEL: "trace" } });
  const token = await backend.login("ana");
  const client = await connect({ url: server.url, name: room, token }).synced();
  const fresh = jwt.sign({ sub: "ana", jti: "fresh" }, jwtSecret, { expiresIn: 60 });
  client.provider.configuration.token = fresh;
  await client.provider.sendToken();
  await until("the renewal", () => server.log.lines.some((line) => line.event === "renewed"));
  await backend.fault("error500");
  await callApi(server.url, "POST /api/users/ana/recheck");
  await backend.fault("none");
  await callApi(server.url, "POST /api/users/ana/revoke");
  await client.denied();
  const ben = await enter("ben");
  ben.provider.configuration.token = `${fresh}x`;
  await ben.provider.sendToken();
  expect(await ben.denied()).toBe("token-invalid");
  const log = JSON.stringify(server.log.lines);
  for (const secret of [token, fresh]) expect(log).not.toContain(secret.split(".")[2]);
});
