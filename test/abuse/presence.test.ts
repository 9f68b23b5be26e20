/** Presence that an attacker lies with, or that is made to cost: nobody is seen as somebody else, and nobody else notices. */
import { MessageType } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { describe, expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import { ClientIds } from "../../members/client-ids.ts";
import type { Member } from "../../members/member.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import type { Client } from "../support/client.ts";
import {
  appear,
  enterRaw,
  namedUsers,
  seenBy,
  sees,
  sendAwareness,
  sendPresence,
  toldTo,
  type State,
} from "../support/presence.ts";
import type { RawClient } from "../support/raw-client.ts";
import { adminToken, callApi } from "../support/room-api.ts";
import { typed } from "../support/updates.ts";
import { until } from "../support/until.ts";

const ana = { user: { id: "ana", name: "Ana" }, cursor: 1 };
const ben = { user: { id: "ben", name: "Ben" }, cursor: 2 };
const mallory = { user: { id: "mallory", name: "Mallory" } };

interface Scene {
  readonly server: Composition;
  readonly ana: Client;
  readonly ben: Client;
  readonly attacker: RawClient;
  /** Resolves when all that the attacker has sent is dealt with; only for one that is still there. */
  readonly dealtWith: () => Promise<void>;
  /** Ana and Ben see each other as before, and nobody of the attacker's. Asserted at the end, with all that was typed meanwhile. */
  readonly unharmed: () => Promise<void>;
}

/** Ana and Ben in the attacker's room, Cleo and Dan in another; all of them type all the while. */
async function scene(env: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const server = await startComposition({ ...namedUsers, ...env });
  const options = { url: server.url, name: "room" };
  const people = [
    await appear("ana", ana, options),
    await appear("ben", ben, options),
    await appear("cleo", {}, { ...options, name: "elsewhere" }),
    await appear("dan", {}, { ...options, name: "elsewhere" }),
  ] as const;
  const [anaClient, benClient, cleo, dan] = people;
  await Promise.all([
    sees(anaClient, { [benClient.doc.clientID]: ben }),
    sees(benClient, { [anaClient.doc.clientID]: ana }),
  ]);
  const typing = setInterval(() => people.forEach((client) => client.text.insert(0, ".")), 20);
  onTestFinished(() => clearInterval(typing));
  const attacker = await enterRaw("mallory", options);
  let barriers = 0;
  return {
    server,
    ana: anaClient,
    ben: benClient,
    attacker,
    dealtWith: async () => {
      attacker.update("room", typed("!")[0] as Uint8Array);
      barriers++;
      await until("the barrier's ack", () => attacker.acksTo("room") === barriers);
    },
    unharmed: async () => {
      clearInterval(typing);
      await Promise.all(people.map((client) => client.saved()));
      await until("one text in each room", () => anaClient.content === benClient.content);
      await until("one text in each room", () => cleo.content === dan.content);
      expect(people.map(({ closes, denials }) => [...closes, ...denials])).toEqual([[], [], [], []]);
      await sees(anaClient, { [benClient.doc.clientID]: ben });
      await sees(benClient, { [anaClient.doc.clientID]: ana });
      expect(anaClient.provider.awareness?.getLocalState()).toEqual(ana);
      expect(benClient.provider.awareness?.getLocalState()).toEqual(ben);
      expect(statesIn(server)).toHaveLength(2);
    },
  };
}

function statesIn({ rooms }: Composition): readonly unknown[] {
  return [...(rooms.documents.get("room")?.awareness.getStates().values() ?? [])];
}

async function left({ server, attacker }: Scene): Promise<void> {
  attacker.socket.terminate();
  await until("the attacker gone", () => server.rooms.documents.get("room")?.getConnectionsCount() === 2);
}

test("[P1] nobody changes what somebody else shows, also while seen under an id of their own", async () => {
  const all = await scene();
  const { doc } = all.ana;
  const forged = { client: doc.clientID, clock: 1_000_000, state: { user: ana.user, evil: true } };
  sendPresence(all.attacker, "room", forged);
  sendPresence(all.attacker, "room", forged, { client: 7, state: {} });
  sendPresence(all.attacker, "room", { client: 7, state: {} }, forged);
  await sees(all.ben, { 7: mallory, [doc.clientID]: ana });
  expect(Object.values(seenBy(all.ana))).toEqual([mallory, ben]);
  await left(all);
  await all.unharmed();
});

test("[P1] nobody reports somebody else as gone", async () => {
  const all = await scene();
  const gone: unknown[] = [];
  all.ben.provider.awareness?.on("change", ({ removed }: { removed: number[] }) => gone.push(...removed));
  for (const clock of [0, 1, 2 ** 40])
    sendPresence(all.attacker, "room", { client: all.ana.doc.clientID, clock, state: null });
  await all.dealtWith();
  await left(all);
  await all.unharmed();
  expect(gone).toEqual([]);
});

test("[P1] one connection is seen once, whatever it claims to be", async () => {
  const all = await scene();
  const crowd = Array.from({ length: 5000 }, (_, i) => ({ client: 1000 + i, state: {} }));
  sendPresence(all.attacker, "room", ...crowd);
  for (const entry of crowd.slice(0, 50)) {
    sendPresence(all.attacker, "room", entry);
    sendPresence(all.attacker, "room", { ...entry, state: null });
  }
  sendPresence(all.attacker, "room", crowd[0] ?? { client: 0, state: {} });
  await all.dealtWith();
  await sees(all.ben, { 1000: mallory, [all.ana.doc.clientID]: ana });
  const { awareness } = all.server.rooms.documents.get("room") ?? {};
  expect(awareness?.meta.size).toBeLessThan(10);
  await left(all);
  await all.unharmed();
});

test("[P1] the server's own client id is nobody's", async () => {
  const all = await scene();
  const client = all.server.rooms.documents.get("room")?.clientID ?? 0;
  sendPresence(all.attacker, "room", { client, state: {} });
  await all.dealtWith();
  await all.unharmed();
});

test("[P1] an id whose owner is there is not taken, and the owner is not cut off for being asked whether it is", async () => {
  const all = await scene();
  const pings: unknown[] = [];
  const victim = await enterRaw("ana", { url: all.server.url, name: "room" });
  victim.socket.on("ping", (data) => pings.push(data));
  sendPresence(victim, "room", { client: 5, state: { step: 1 } });
  await until("seen", () => seenBy(all.ben)[5]?.["step"] === 1);
  for (let i = 0; i < 5; i++) {
    sendPresence(all.attacker, "room", { client: 5, state: { evil: i } });
    await all.dealtWith();
    // Its answer is there, so nothing else would keep it from being asked again.
    await victim.caughtUp();
  }
  expect(seenBy(all.ben)[5]).toEqual({ step: 1, user: ana.user });
  expect(pings).toHaveLength(1);
  expect(toldTo(victim).filter(([client]) => client === 5)).toEqual([]);
  victim.socket.close();
  await until("one less", () => all.server.rooms.documents.get("room")?.getConnectionsCount() === 3);
  await left(all);
  await all.unharmed();
});

test("[P2] a state carries the user of the token, whoever the client says it is", async () => {
  const all = await scene();
  const claims: readonly (readonly [unknown, State])[] = [
    [{ ...ana.user, color: "#a1b2c3", avatar: "https://evil.example" }, { color: "#a1b2c3" }],
    [{ ...ana.user, color: "url(//evil.example/x.png)" }, {}],
    [{ ...ana.user, color: "red;background:blue" }, {}],
    [{ ...ana.user, color: "r".repeat(65) }, {}],
    [{ ...ana.user, color: { toString: "red" } }, {}],
    ["Ana", {}],
    [["Ana"], {}],
    [null, {}],
    [undefined, {}],
  ];
  for (const [index, [user, color]] of claims.entries()) {
    sendPresence(all.attacker, "room", { client: 7, clock: index, state: { index, user } });
    await until("seen", () => seenBy(all.ben)[7]?.["index"] === index);
    expect(seenBy(all.ben)[7]).toEqual({ index, user: { ...mallory.user, ...color } });
  }
  await left(all);
  await all.unharmed();
});

test.for<readonly [what: string, state: string]>([
  ["a state of 17 kilobytes", JSON.stringify({ text: "x".repeat(17_000) })],
  ["a state of 5 megabytes", JSON.stringify({ text: "x".repeat(5_000_000) })],
  ["objects in 33 levels", '{"a":'.repeat(32) + "{}" + "}".repeat(32)],
  ["arrays in 5,000 levels", `{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`],
  ["strings that look like closing brackets", `{"a":["]]]\\"]]]"${',["]"'.repeat(40)}${"]".repeat(41)}}`],
])("[P3] %s is refused for good, and seen by nobody", async ([, state]) => {
  const all = await scene();
  sendPresence(all.attacker, "room", { client: 7, state });
  await all.attacker.refused("room", "awareness-too-big");
  await all.unharmed();
});

test("[P3] more entries than a room has people are refused for good", async () => {
  const all = await scene();
  const entries = Array.from({ length: 10_001 }, (_, client) => ({ client, state: null }));
  sendPresence(all.attacker, "room", ...entries);
  await all.attacker.refused("room", "awareness-too-big");
  await all.unharmed();
});

test("[P3] brackets in strings are no levels, and a state of just MAX_AWARENESS_BYTES is taken", async () => {
  const all = await scene({ MAX_AWARENESS_BYTES: "256" });
  const shown = { text: '[{"\\'.repeat(40) + "x".repeat(5) };
  expect(JSON.stringify(shown)).toHaveLength(256);
  sendPresence(all.attacker, "room", { client: 7, state: shown });
  await sees(all.ben, { 7: { ...shown, ...mallory }, [all.ana.doc.clientID]: ana });
  await left(all);
  await all.unharmed();
});

test.for<readonly [what: string, write: (encoder: encoding.Encoder) => void]>([
  ["an empty update", () => {}],
  ["more entries said than sent", (encoder) => writeEntry(encoder, { count: 2, client: 7, json: "{}" })],
  ["a state that is cut off", (encoder) => writeEntry(encoder, { client: 7, json: "{}", bytes: 200 })],
  [
    "a client id beyond every number",
    (encoder) => encoder.bufs.push(Buffer.from(`01${"ff".repeat(12)}`, "hex")),
  ],
  ["half a JSON", (encoder) => writeEntry(encoder, { client: 7, json: '{"a":' })],
  ["a number", (encoder) => writeEntry(encoder, { client: 7, json: "5" })],
  ["a list", (encoder) => writeEntry(encoder, { client: 7, json: "[1]" })],
  ["something like null", (encoder) => writeEntry(encoder, { client: 7, json: " null" })],
])("[P3] %s closes its socket with a code that asks to come back", async ([, write]) => {
  const all = await scene();
  sendAwareness(all.attacker, "room", write);
  expect(await all.attacker.closed()).toMatchObject({ code: 4205 });
  await all.unharmed();
});

function writeEntry(
  encoder: encoding.Encoder,
  {
    count = 1,
    client,
    json,
    bytes = json.length,
  }: { count?: number; client: number; json: string; bytes?: number },
): void {
  encoding.writeVarUint(encoder, count);
  encoding.writeVarUint(encoder, client);
  encoding.writeVarUint(encoder, 1);
  encoding.writeVarUint(encoder, bytes);
  for (const byte of Buffer.from(json)) encoding.write(encoder, byte);
}

test("[P5] no clock that an attacker chose keeps the next person with this id from being seen", async () => {
  const all = await scene();
  sendPresence(all.attacker, "room", { client: 7, clock: Number.MAX_SAFE_INTEGER, state: {} });
  await sees(all.ben, { 7: mallory, [all.ana.doc.clientID]: ana });
  await left(all);
  const next = await enterRaw("cleo", { url: all.server.url, name: "room" });
  sendPresence(next, "room", { client: 7, clock: 0, state: {} });
  const cleo = { user: { id: "cleo", name: "Cleo" } };
  await sees(all.ben, { 7: cleo, [all.ana.doc.clientID]: ana });
  next.socket.close();
  await all.unharmed();
});

test("[P9] asking again and again for everybody's states makes nobody encode them", async () => {
  const all = await scene();
  sendPresence(all.attacker, "room", { client: 7, state: {} });
  await sees(all.ben, { 7: mallory, [all.ana.doc.clientID]: ana });
  let encoded = 0;
  const shown = all.server.rooms.documents.get("room")?.awareness.getStates().get(7);
  Object.defineProperty(shown, "toJSON", {
    value: () => {
      encoded++;
      return mallory;
    },
  });
  const told = toldTo(all.attacker).length;
  for (let i = 0; i < 100; i++) all.attacker.send("room", MessageType.QueryAwareness);
  await all.dealtWith();
  expect([encoded, toldTo(all.attacker).length]).toEqual([0, told]);
  await left(all);
  await all.unharmed();
});

test("[P6] nothing is kept of three hundred people who came and went", { timeout: 90_000 }, async () => {
  const all = await scene();
  const { awareness } = all.server.rooms.documents.get("room") ?? {};
  const seen: number[] = [];
  awareness?.on("update", ({ added }: { added: number[] }) => seen.push(...added));
  for (let i = 0; i < 300; i++) {
    const visitor = await enterRaw("visitor", { url: all.server.url, name: "room" });
    sendPresence(visitor, "room", { client: 1000 + i, state: {} });
    await until("seen", () => seen.includes(1000 + i));
    visitor.socket.close();
  }
  await left(all);
  expect(awareness?.meta.size).toBeLessThan(100);
  await all.unharmed();
});

test("[P6] nor of under which client id they wrote", () => {
  const here = new Set<Member>();
  const document = Object.assign(new Y.Doc(), {
    connections: here,
    hasConnection: (member: Member) => here.has(member),
  });
  const ids = new ClientIds({ userElsewhere: null });
  const memberNamed = (id: string): Member => ({ document, context: { user: { id } } }) as unknown as Member;
  const visitors = Array.from({ length: 300 }, (_, index) => memberNamed(`visitor-${index}`));
  for (const [client, visitor] of visitors.entries()) {
    here.add(visitor);
    ids.claim([client], visitor);
    here.delete(visitor);
  }
  // As if all were back: who was forgotten is not found.
  for (const visitor of visitors) here.add(visitor);
  const found = visitors.filter((_, client) => ids.otherOwner(client, memberNamed("stranger")));
  expect(found.length).toBeLessThan(100);
});

describe("many who leave together", () => {
  const options = { ...namedUsers, ADMIN_TOKEN: adminToken };

  /** Everybody in the room, seen by all. */
  async function crowd(users: readonly string[], { url }: Composition): Promise<readonly RawClient[]> {
    const clients = await Promise.all(users.map((user) => enterRaw(user, { url, name: "room" })));
    for (const [id, client] of clients.entries())
      sendPresence(client, "room", { client: 100 + id, state: {} });
    await until("all seen by all", () =>
      clients.every((client) => new Set(toldTo(client).map(([id]) => id)).size === clients.length - 1),
    );
    return clients;
  }

  const presenceMessages = ({ messages }: RawClient): number =>
    messages.filter((message) => message[1 + (message[0] ?? 0)] === MessageType.Awareness).length;

  test("[P4] a room that everybody is put out of tells none of them about the others", async () => {
    const server = await startComposition(options);
    const all = await crowd(
      Array.from({ length: 60 }, (_, i) => `user-${i}`),
      server,
    );
    const before = all.map(presenceMessages);
    const document = server.rooms.documents.get("room");
    expect(await callApi(server.url, "POST /api/rooms/room/kick")).toMatchObject({
      body: { connections: 60 },
    });
    await Promise.all(all.map((client) => client.refused("room", "kicked")));
    await Promise.all(all.map((client) => client.caughtUp()));
    expect(all.map(presenceMessages)).toEqual(before);
    expect(document?.awareness.states.size).toBe(0);
  });

  test("[P4] who stays is told in one message of all who were put out", async () => {
    const server = await startComposition(options);
    const [witness, ...others] = await crowd(["ana", ...Array.from({ length: 30 }, () => "mallory")], server);
    if (!witness) throw new Error("the witness");
    const [messages, told] = [presenceMessages(witness), toldTo(witness).length];
    await callApi(server.url, "POST /api/users/mallory/revoke");
    await Promise.all(others.map((client) => client.refused("room", "access-revoked")));
    await until("told", () => toldTo(witness).length > told);
    await witness.caughtUp();
    expect(presenceMessages(witness)).toBe(messages + 1);
    expect(toldTo(witness).slice(told).toSorted()).toEqual(others.map((_, i) => [101 + i, null]));
  });

  test("[P4] who comes back in the same turn, with the same client id, stays seen", async () => {
    let leave = (): void => {};
    const server = await startComposition(options, [{ beforeHandleAwareness: async () => leave() }]);
    await crowd(["ana", "mallory"], server);
    const back = await enterRaw("mallory", { url: server.url, name: "room" });
    const document = server.rooms.documents.get("room");
    const removed: number[] = [];
    document?.awareness.on("update", (change: { removed: number[] }) => removed.push(...change.removed));
    leave = () => document?.getConnections()[1]?.close({ code: 4403, reason: "kicked" });
    sendPresence(back, "room", { client: 101, state: { back: true } });
    await until("seen", () => document?.awareness.states.get(101)?.["back"] === true);
    await back.caughtUp();
    expect([document?.getConnectionsCount(), removed]).toEqual([2, []]);
  });
});
