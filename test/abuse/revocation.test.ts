/** Those who are to leave and do not want to: bare frames, whatever a provider would do. */
import type { Extension } from "@hocuspocus/server";
import { MessageType } from "@hocuspocus/server";
import jwt from "jsonwebtoken";
import { expect, onTestFinished, test } from "vitest";
import { messageYjsSyncStep1 } from "y-protocols/sync";
import * as Y from "yjs";
import { rightsTiming } from "../../auth/rights-timing.ts";
import { closeReasons } from "../../lib/close-reasons.ts";
import type { Identity } from "../../lib/identity.ts";
import { jwtSecret } from "../support/backend.ts";
import { Heartbeat } from "../../transport/heartbeat.ts";
import { connect, type Client } from "../support/client.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { adminToken, callApi } from "../support/room-api.ts";
import { next, scriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const room = "task-list-1";
const timing = { ...rightsTiming, sweepMs: 20 };

let tokens = 0;
/** Each another one, good for an hour unless stated. */
const sign = (claims: object = {}): string =>
  jwt.sign(
    {
      sub: "eve",
      exp: Math.floor(Date.now() / 1000) + 3600,
      jti: `${tokens++}`,
      rooms: { [room]: "write" },
      ...claims,
    },
    jwtSecret,
  );

const start = (
  env: Record<string, string> = {},
  extensions: Extension<Identity>[] = [],
): Promise<Composition> =>
  startComposition({ JWT_SECRET: jwtSecret, ADMIN_TOKEN: adminToken, ...env }, extensions, { timing });

async function attackerIn(server: Composition, token: string): Promise<RawClient> {
  const attacker = await new RawClient(server.url).opened();
  attacker.login(room, { token });
  attacker.firstSync(room);
  await attacker.received(room, MessageType.Sync);
  return attacker;
}

/** Somebody who has to see nothing of it. */
const bystanderIn = (server: Composition): Promise<Client> =>
  connect({ url: server.url, name: room, token: sign({ sub: "ben" }) }).synced();

function edit(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

const revoke = (server: Composition): ReturnType<typeof callApi> =>
  callApi(server.url, "POST /api/users/eve/revoke");

const settled = async (bystander: Client): Promise<string> => {
  bystander.text.insert(0, ".");
  await bystander.saved();
  expect([bystander.closes, bystander.denials]).toEqual([[], []]);
  return bystander.content;
};

test("[A9] whoever is revoked and writes on changes nothing, and is told nothing of what others write", async () => {
  const server = await start();
  const bystander = await bystanderIn(server);
  const attacker = await attackerIn(server, sign());
  expect((await revoke(server)).body).toEqual({ user: "eve", connections: 1 });
  attacker.update(room, edit("written on"));
  attacker.state(room, edit("all of it"));
  attacker.firstSync(room);
  await attacker.refused(room, "access-revoked");
  await attacker.caughtUp();
  const heard = attacker.messages.length;
  attacker.update(room, edit("still"));
  attacker.firstSync(room);
  expect(await settled(bystander)).toBe(".");
  await attacker.caughtUp();
  expect([attacker.acksTo(room), attacker.messages.length, attacker.close]).toEqual([0, heard, null]);
});

test("[A9] what somebody sent before being revoked, and what a team's hook kept waiting, does not count after it", async () => {
  const gates: (() => void)[] = [];
  const slow: Extension<Identity> = {
    async beforeHandleMessage({ context }) {
      if (context.user.id === "eve") await new Promise<void>((resolve) => gates.push(resolve));
    },
  };
  const server = await start({}, [slow]);
  const bystander = await bystanderIn(server);
  const attacker = await new RawClient(server.url).opened();
  attacker.login(room, { token: sign() });
  attacker.update(room, edit("kept waiting"));
  attacker.update(room, edit("and this"));
  await until("the hook", () => gates.length > 0);
  await revoke(server);
  await until("the rest of it to come out of the hook", () => {
    for (const open of gates.splice(0)) open();
    return server.log.events("connection-left").length > 0;
  });
  expect(await settled(bystander)).toBe(".");
});

test("[A9] an edit that waits in a hook while the right to write is taken away is not applied", async () => {
  const gates: (() => void)[] = [];
  const slow: Extension<Identity> = {
    async beforeHandleMessage({ context }) {
      if (context.user.id === "eve") await new Promise<void>((resolve) => gates.push(resolve));
    },
  };
  const backend = await scriptedBackend();
  const server = await start(backend.env, [slow]);
  const enter = async (user: string): Promise<RawClient> => {
    const client = await new RawClient(server.url).opened();
    client.login(room, { token: user });
    (await next(backend.questions, "the question")).answer(200);
    await client.received(room, MessageType.Auth);
    return client;
  };
  const attacker = await enter("eve");
  attacker.update(room, edit("too late"));
  await until("the hook", () => gates.length > 0);
  const rechecked = callApi(server.url, "POST /api/users/eve/recheck");
  (await next(backend.questions, "the re-check")).answer(200, { access: "read" });
  await rechecked;
  for (const open of gates) open();
  await attacker.received(room, MessageType.SyncStatus);
  expect([attacker.acksTo(room), server.rooms.documents.get(room)?.getText("text").toJSON()]).toEqual([
    0,
    "",
  ]);
});

test("[A10] whose right has ended is out of the room at that moment, whatever it sends, and its socket is closed soon", async () => {
  const server = await start();
  const bystander = await bystanderIn(server);
  const attacker = await attackerIn(server, sign({ exp: Math.floor(Date.now() / 1000) + 1 }));
  // It never answers the question for a fresh token, and keeps asking and writing.
  await until(
    "the end of its right",
    () => {
      attacker.send(room, MessageType.QueryAwareness);
      return server.log.events("put-out").length > 0;
    },
    { timeoutMs: 15_000 },
  );
  attacker.update(room, edit("too late"));
  expect(await settled(bystander)).toBe(".");
  expect(await attacker.closed()).toEqual({ code: 4505, reason: "session-expired" });
});

test("[A11] a flood of good tokens costs the backend one question a second, and the newest counts", async () => {
  const backend = await scriptedBackend();
  const server = await start(backend.env);
  const asked: { readonly token: string; readonly at: number }[] = [];
  const answering = setInterval(() => {
    const question = backend.questions.shift();
    if (!question) return;
    asked.push({ token: question.token, at: performance.now() });
    question.answer(200);
  }, 1);
  onTestFinished(() => clearInterval(answering));
  const attacker = await attackerIn(server, "eve");
  let sent = 0;
  const send = (): void => attacker.login(room, { token: `eve ${++sent}`, version: null });
  const taken = (count: number): Promise<unknown> =>
    until(`${count} of the tokens to be taken`, () => server.log.events("renewed").length >= count);
  for (let i = 0; i < 300; i++) send();
  await taken(2);
  // One by one, each when nothing waits.
  for (const count of [3, 4]) {
    send();
    await taken(count);
  }
  const floods = asked.slice(1);
  expect(floods.map(({ token }) => token)).toEqual(["eve 1", "eve 300", "eve 301", "eve 302"]);
  // Each a second after the answer before it, and so about three in all.
  expect((floods.at(-1)?.at ?? 0) - (floods[0]?.at ?? 0)).toBeGreaterThan(2900);
  expect(attacker.close).toBeNull();
});

test.for([
  ["another user's token", (): string => sign({ sub: "mallory" }), "token-invalid"],
  ["garbage", (): string => "garbage", "token-invalid"],
  ["a megabyte", (): string => "x".repeat(1_000_000), "token-invalid"],
  ["an expired one", (): string => sign({ exp: 1 }), "token-expired"],
  ["one for another room", (): string => sign({ rooms: { other: "write" } }), "access-revoked"],
] as const)("[A11] %s, sent unasked from inside, ends the stay for good", async ([, token, reason]) => {
  const server = await start();
  const bystander = await bystanderIn(server);
  const attacker = await attackerIn(server, sign());
  attacker.login(room, { token: token(), version: null });
  attacker.update(room, edit("after it"));
  await attacker.refused(room, reason);
  await until("it to be gone", () => server.rooms.documents.get(room)?.getConnectionsCount() === 1);
  expect(server.rooms.documents.get(room)?.getConnections()).toMatchObject([
    { context: { user: { id: "ben" } } },
  ]);
  await settled(bystander);
});

test("[A11] a fresh token with less access holds for the next message", async () => {
  const server = await start();
  const bystander = await bystanderIn(server);
  const attacker = await attackerIn(server, sign());
  attacker.login(room, { token: sign({ rooms: { [room]: "read" } }), version: null });
  await until("the change", () => server.log.events("access-changed").length > 0);
  attacker.update(room, edit("read-only now"));
  await attacker.received(room, MessageType.SyncStatus);
  expect([attacker.acksTo(room), await settled(bystander)]).toEqual([0, "."]);
});

test("[S20] edits declined for want of a right are acknowledged once they are taken, and not on top of a sync begun since", async () => {
  for (const [beginsAnew, acks] of [
    [false, 3],
    [true, 1],
  ] as const) {
    const server = await start();
    const client = await attackerIn(server, sign({ rooms: { [room]: "read" } }));
    const written = edit("written while read-only");
    client.update(room, written);
    client.update(room, written);
    // A provider counts its sync as one, and from there on.
    if (beginsAnew) client.firstSync(room);
    client.login(room, { token: sign(), version: null });
    await until("the right to write", () => server.log.events("access-changed").length > 0);
    client.state(room, written);
    await until("the acks", () => client.acksTo(room) >= acks);
    await client.caughtUp();
    expect(client.acksTo(room)).toBe(acks);
  }
});

test("[A6] what somebody brought who might only read is asked for again, and acknowledged, once they may write", async () => {
  const server = await start();
  const client = await attackerIn(server, sign({ rooms: { [room]: "read" } }));
  const written = edit("written offline");
  client.state(room, written);
  await client.received(room, MessageType.SyncStatus);
  client.messages.length = 0;
  client.login(room, { token: sign(), version: null });
  expect((await client.received(room, MessageType.Sync))[0]).toBe(messageYjsSyncStep1);
  client.state(room, written);
  await until("the ack of its first sync", () => client.acksTo(room) === 1);
});

test("[A3] an admission until a time in the past is the backend's trouble: let in, the client would be out again at once", async () => {
  const backend = await scriptedBackend();
  const server = await start(backend.env);
  const client = await new RawClient(server.url).opened();
  client.login(room, { token: "eve" });
  (await next(backend.questions, "the question")).answer(200, { expiresAt: Date.now() / 1000 - 6 });
  expect(await client.closed()).toEqual({ code: 4502, reason: "auth-unavailable" });
});

test("[A15] a login that was asked about before the revocation and answered after it is asked about again", async () => {
  const backend = await scriptedBackend();
  const server = await start(backend.env);
  const [first, second] = [
    await new RawClient(server.url).opened(),
    await new RawClient(server.url).opened(),
  ];
  first.login(room, { token: "eve" });
  const question = await next(backend.questions, "the question");
  await revoke(server);
  // Comes after the revocation, and shares the question from before it.
  second.login(room, { token: "eve" });
  await second.caughtUp();
  question.answer(200);
  const again = await next(backend.questions, "another question");
  again.answer(403);
  await first.refused(room, "room-forbidden");
  await second.refused(room, "room-forbidden");
  expect(backend.questions).toEqual([]);
});

test("[A15] a login under way while the backend orders a kick or a re-check is asked about again, and enters if admitted then", async () => {
  const backend = await scriptedBackend();
  const server = await start(backend.env);
  for (const order of ["users/eve/recheck", `rooms/${room}/kick`, `rooms/${room}/kick?user=eve`]) {
    const client = await new RawClient(server.url).opened();
    client.login(room, { token: `eve ${order}` });
    const question = await next(backend.questions, "the question");
    await callApi(server.url, `POST /api/${order}`);
    question.answer(200);
    (await next(backend.questions, "another question")).answer(200, { access: "read" });
    await client.received(room, MessageType.Auth);
    client.firstSync(room);
    await client.received(room, MessageType.Sync);
    client.socket.terminate();
    await until("it to be gone", () => server.rooms.documents.get(room)?.getConnectionsCount() === 0);
  }
});

test.for([
  ["revoked", ["users/eve/revoke"], "access-revoked"],
  ["kicked", [`rooms/${room}/kick`], "kicked"],
  ["kicked, and then to be re-checked,", [`rooms/${room}/kick`, "users/eve/recheck"], "kicked"],
] as const)(
  "[A15] whoever is %s between the admission and the room is not in the room",
  async ([, orders, reason]) => {
    let open = (): void => {};
    const loading = new Promise<void>((resolve) => (open = resolve));
    let arrived = false;
    const slow: Extension<Identity> = {
      async onLoadDocument() {
        arrived = true;
        await loading;
      },
    };
    const server = await start({}, [slow]);
    const attacker = await new RawClient(server.url).opened();
    attacker.login(room, { token: sign() });
    attacker.firstSync(room);
    attacker.update(room, edit("on the way in"));
    await until("the load", () => arrived);
    for (const order of orders) await callApi(server.url, `POST /api/${order}`);
    open();
    await attacker.refused(room, reason);
    await until("nobody inside", () => server.rooms.documents.get(room)?.getConnectionsCount() === 0);
    await attacker.caughtUp();
    expect(attacker.acksTo(room)).toBe(0);
    expect(server.rooms.documents.get(room)?.getText("text").toJSON()).toBe("");
  },
);

test("[A15] about whoever is to be re-checked between the admission and the room the backend is asked", async () => {
  const { promise: loading, resolve: open } = Promise.withResolvers<void>();
  let arrived = false;
  const slow: Extension<Identity> = {
    async onLoadDocument() {
      arrived = true;
      await loading;
    },
  };
  const backend = await scriptedBackend();
  const server = await start(backend.env, [slow]);
  const attacker = await new RawClient(server.url).opened();
  attacker.login(room, { token: "eve" });
  (await next(backend.questions, "the question")).answer(200);
  await until("the load", () => arrived);
  expect((await callApi(server.url, "POST /api/users/eve/recheck")).body["connections"]).toBe(0);
  open();
  (await next(backend.questions, "another question")).answer(403);
  await attacker.refused(room, "access-revoked");
});

test("[A15] a login during which each answer is followed by an order is refused after three", async () => {
  const backend = await scriptedBackend();
  const server = await start(backend.env);
  const client = await new RawClient(server.url).opened();
  client.login(room, { token: "eve" });
  for (let questions = 0; questions < 3; questions++) {
    const question = await next(backend.questions, "the question");
    await revoke(server);
    question.answer(200);
  }
  await client.refused(room, "access-revoked");
  expect(backend.questions).toEqual([]);
});

test("[A15] an admission that was long on its way does not undo what a re-check of another tab has said since", async () => {
  let isSlow = false;
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  let atGate = false;
  const slow: Extension<Identity> = {
    async onAuthenticate() {
      if (!isSlow) return;
      atGate = true;
      await gate;
    },
  };
  const backend = await scriptedBackend();
  const server = await start({ ...backend.env, AUTH_RECHECK_SECONDS: "1" }, [slow]);
  const [inside, late] = [await new RawClient(server.url).opened(), await new RawClient(server.url).opened()];
  inside.login(room, { token: "eve" });
  (await next(backend.questions, "the question")).answer(200);
  await inside.received(room, MessageType.Auth);
  isSlow = true;
  late.login(room, { token: "eve" });
  // Whichever comes first, the re-check or the login, they may be one question.
  const answering = setInterval(
    () => backend.questions.shift()?.answer(200, atGate ? { access: "read" } : {}),
    5,
  );
  onTestFinished(() => clearInterval(answering));
  await until("the re-check", () => server.log.events("access-changed").length > 0);
  open();
  const members = await until("both inside", () => {
    const connections = server.rooms.documents.get(room)?.getConnections() ?? [];
    return connections.length === 2 ? connections : null;
  });
  expect(members.map(({ readOnly }) => readOnly)).toEqual([true, true]);
  expect(server.log.events("access-changed")).toHaveLength(2);
});

test("[M17] a socket whose user was revoked counts as a stranger, and is closed after a minute outside", async () => {
  const heartbeat = new Heartbeat({ secondMs: 10 });
  const server = await startComposition({ JWT_SECRET: jwtSecret, ADMIN_TOKEN: adminToken }, [], {
    timing,
    heartbeat,
  });
  const rooms = [room, "another"];
  const token = sign({ rooms: { "*": "write" } });
  const client = await new RawClient(server.url).opened();
  for (const name of rooms) {
    // As providers before version 4: later ones come to rest, and are kept for longer.
    client.login(name, { token, version: null });
    client.firstSync(name);
    await client.received(name, MessageType.Sync);
  }
  expect(server.usage().unauthenticated).toBe(0);
  await callApi(server.url, `POST /api/rooms/another/kick`);
  await client.refused("another", closeReasons.kicked.reason);
  // In one room still. Whoever leaves the last one at this moment is closed first.
  const other = await new RawClient(server.url).opened();
  other.login(room, { token, version: null });
  other.firstSync(room);
  await other.received(room, MessageType.Sync);
  other.send(room, MessageType.CLOSE);
  expect((await other.closed()).code).toBe(4408);
  expect(client.close).toBeNull();

  await callApi(server.url, "POST /api/users/eve/revoke");
  await client.refused(room, closeReasons.accessRevoked.reason);
  await until("a stranger, or gone already", () => server.usage().unauthenticated === 1 || client.close);
  expect((await client.closed()).code).toBe(4408);
  await until("gone", () => server.usage().unauthenticated === 0);
});
