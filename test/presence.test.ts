/** Who is there, as people see each other with the stock provider. */
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { Awareness, removeAwarenessStates } from "y-protocols/awareness";
import * as Y from "yjs";
import { whoIsIn } from "../presence/who-is-in.ts";
import type { Client } from "./support/client.ts";
import { connect } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import {
  appear,
  enterRaw,
  namedUsers,
  seenBy,
  sees,
  sendPresence,
  toldTo,
  tokenOf,
} from "./support/presence.ts";
import { RawClient } from "./support/raw-client.ts";
import { typed } from "./support/updates.ts";
import { until } from "./support/until.ts";

const ana = { user: { id: "ana", name: "Ana" } };
const ben = { user: { id: "ben", name: "Ben" } };

async function start(extensions: Parameters<typeof startComposition>[1] = []): Promise<{
  readonly server: Composition;
  readonly room: { readonly url: string; readonly name: "room" };
  /** Resolves when so many are in the room. */
  readonly present: (count: number) => Promise<void>;
}> {
  const server = await startComposition(namedUsers, extensions);
  return {
    server,
    room: { url: server.url, name: "room" },
    present: async (count) => {
      await until(
        `${count} in the room`,
        () => server.rooms.documents.get("room")?.getConnectionsCount() === count,
      );
    },
  };
}

/** As after a loss of network: the socket is closed, and the provider comes back with the same document and the same clock. */
async function reconnect({ provider }: Client): Promise<void> {
  provider.disconnect();
  await until("offline", () => !provider.synced);
  await provider.connect();
  await until("back", () => provider.synced);
}

test("[P2] everybody who is seen has the name of their token, with and without a user of their own", async () => {
  const { room } = await start();
  const one = await appear("ana", {}, room);
  const two = await appear("ben", { user: { name: "Ana", color: "tomato" }, cursor: null }, room);
  await sees(two, { [one.doc.clientID]: ana });
  await sees(one, { [two.doc.clientID]: { user: { ...ben.user, color: "tomato" }, cursor: null } });
});

test("[P2] the colour is the token's where the client chooses none", async () => {
  const { room } = await start();
  const one = await appear("ana", {}, room);
  const two = await appear("ben", {}, { ...room, token: tokenOf("ben", { color: "#123456" }) });
  await sees(one, { [two.doc.clientID]: { user: { ...ben.user, color: "#123456" } } });
});

test("[P4] a state that is withdrawn is gone at once, and seen again as soon as there is one", async () => {
  const { room } = await start();
  const one = await appear("ana", {}, room);
  const two = await appear("ben", {}, room);
  for (let step = 0; step < 3; step++) {
    one.provider.awareness?.setLocalState({ step });
    await sees(two, { [one.doc.clientID]: { step, ...ana } });
    one.provider.awareness?.setLocalState(null);
    await sees(two, {});
  }
});

test.for([0, 1, 3])(
  "[P4] who leaves after %i reconnects is gone at once, and nobody else is",
  async (reconnects) => {
    const { room } = await start();
    const one = await appear("ana", {}, room);
    const two = await appear("ben", {}, room);
    const three = await appear("cleo", {}, room);
    for (let i = 0; i < reconnects; i++) await reconnect(one);
    await until("both seen", () => Object.keys(seenBy(two)).length === 2);
    // Without a word from the provider, as in a crash of the page.
    one.provider.configuration.websocketProvider.webSocket?.close();
    one.provider.disconnect();
    await sees(two, { [three.doc.clientID]: { user: { id: "cleo", name: "Cleo" } } });
    await sees(three, { [two.doc.clientID]: ben });
  },
);

test("[P5] who comes back is seen at once, and sees at once who is there", async () => {
  const { room } = await start();
  const one = await appear("ana", {}, room);
  const two = await appear("ben", {}, room);
  await sees(two, { [one.doc.clientID]: ana });
  for (let i = 0; i < 3; i++) {
    await reconnect(one);
    await sees(one, { [two.doc.clientID]: ben });
    await sees(two, { [one.doc.clientID]: ana });
  }
});

test("[P5] a client without a state of its own sees who is there, and is not seen", async () => {
  const { room } = await start();
  const one = await appear("ana", {}, room);
  const document = new Y.Doc();
  const awareness = new Awareness(document);
  // Before there is a provider that would say it.
  awareness.setLocalState(null);
  const two = await connect({ ...room, token: tokenOf("ben"), document, awareness }).synced();
  await sees(two, { [one.doc.clientID]: ana });
  await sees(one, {});
});

test("[P5] nobody is sent their own state, not even where an older connection of theirs lingers", async () => {
  const { room, present } = await start();
  const witness = await appear("ben", {}, room);
  const doc = new Y.Doc();
  const old = await enterRaw("ana", room);
  sendPresence(old, "room", { client: doc.clientID, clock: 5, state: { step: "old" } });
  await sees(witness, { [doc.clientID]: { step: "old", ...ana } });
  // A network that is gone: nothing is read, nothing closed.
  old.socket.pause();

  const back = await appear("ana", { step: "new" }, { ...room, document: doc });
  const sent = { [doc.clientID]: { step: "new", ...ana } };
  await sees(witness, sent);
  await sees(back, { [witness.doc.clientID]: ben });
  expect(back.provider.awareness?.getLocalState()).toEqual({ step: "new" });

  // Its end takes nothing along.
  const gone: number[] = [];
  witness.provider.awareness?.on("change", ({ removed }: { removed: number[] }) => gone.push(...removed));
  await present(3);
  old.socket.terminate();
  await present(2);
  back.provider.awareness?.setLocalState({ step: "newer" });
  await sees(witness, { [doc.clientID]: { step: "newer", ...ana } });
  expect(gone).toEqual([]);
  expect(back.provider.awareness?.getLocalState()).toEqual({ step: "newer" });

  // Its own end does.
  back.provider.disconnect();
  await sees(witness, {});
});

test("[P5] an author is told of others only, in the order in which they said it", async () => {
  const { room } = await start();
  const author = await enterRaw("ana", room);
  sendPresence(author, "room", { client: 7, state: { step: 0 } });
  const other = await appear("ben", { step: 0 }, room);
  for (let step = 1; step <= 5; step++) {
    sendPresence(author, "room", { client: 7, clock: step, state: { step } });
    await sees(other, { 7: { step, ...ana } });
    other.provider.awareness?.setLocalState({ step });
    await until("told", () => toldTo(author).at(-1)?.[1]?.["step"] === step);
  }
  expect(new Set(toldTo(author).map(([client]) => client))).toEqual(new Set([other.doc.clientID]));
  const steps = toldTo(author).map(([, state]) => state?.["step"] as number);
  expect(steps).toEqual(steps.toSorted());
});

test("[P5] a state that comes back by another transport of the pages goes no further", async () => {
  const { room } = await start();
  const witness = await enterRaw("cleo", room);
  const one = await appear("ana", {}, room);
  // Two ways to the server for one awareness: what is heard on one is said on the other.
  const two = connect({
    ...room,
    token: tokenOf("ana"),
    document: one.doc,
    awareness: one.provider.awareness,
  });
  await two.synced();
  const lastStep = (): unknown => toldTo(witness).at(-1)?.[1]?.["step"];
  for (let step = 1; step <= 5; step++) one.provider.setAwarenessField("step", step);
  await until("the last step", () => lastStep() === 5);
  const told = toldTo(witness).length;
  for (let i = 0; i < 20; i++) {
    one.text.insert(0, ".");
    await Promise.all([one.saved(), two.saved()]);
  }
  expect(lastStep()).toBe(5);
  expect(toldTo(witness).length - told).toBeLessThan(10);
});

test("[P5] [T6] a provider that knows no Ping hears from the server at each of its heartbeats, and not its own state", async () => {
  const { room } = await start();
  const old = await enterRaw("ana", room, { version: null });
  const heard = (): number => old.messages.filter((message) => message[5] === MessageType.Awareness).length;
  for (let clock = 1; clock <= 3; clock++) {
    sendPresence(old, "room", { client: 7, clock, state: {} });
    await until("heard", () => heard() === clock);
  }
  expect(toldTo(old)).toEqual([]);
});

test("[P5] a guest who comes back under a dead connection's id is seen within seconds, not heartbeats", async () => {
  const server = await startComposition();
  const witness = await connect({ url: server.url, name: "room" }).synced();
  const [old, back] = [
    await new RawClient(server.url).inside("room"),
    await new RawClient(server.url).inside("room"),
  ];
  sendPresence(old, "room", { client: 7, state: { step: "old" } });
  await until("seen", () => seenBy(witness)[7]?.["step"] === "old");
  old.socket.pause();
  await until("seen", () => {
    sendPresence(back, "room", { client: 7, state: { step: "new" } });
    return seenBy(witness)[7]?.["step"] === "new";
  });
  expect(server.rooms.documents.get("room")?.getConnectionsCount()).toBe(2);
});

test("[P5] after a restart of the server everybody sees everybody at once, whatever clocks they remember", async () => {
  const first = await start();
  const one = await appear("ana", {}, first.room);
  const two = await appear("ben", {}, first.room);
  for (let step = 0; step < 50; step++) one.provider.awareness?.setLocalState({ step });
  await sees(two, { [one.doc.clientID]: { step: 49, ...ana } });
  await first.server.stop();
  await startComposition({ ...namedUsers, PORT: String(first.server.port) });
  await Promise.all([one.closedWith(1012), two.closedWith(1012)]);
  await sees(two, { [one.doc.clientID]: { step: 49, ...ana } });
  await sees(one, { [two.doc.clientID]: ben });
});

test("[P7] a read-only user is seen, sees, and goes like everybody", async () => {
  const { room } = await start();
  const one = await appear("ana", {}, room);
  const reader = await appear("ben", { cursor: 1 }, { ...room, token: tokenOf("ben", { access: "read" }) });
  expect(reader.provider.authorizedScope).toBe("readonly");
  await sees(one, { [reader.doc.clientID]: { cursor: 1, ...ben } });
  await sees(reader, { [one.doc.clientID]: ana });
  reader.leave();
  await sees(one, {});
});

test("[P8] who is in a room is told by their admitted connections, whatever they show", async () => {
  const { server, room, present } = await start();
  const one = await appear(
    "ana",
    {},
    { ...room, token: tokenOf("ana", { color: "tomato", access: "read" }) },
  );
  const tab = await appear("ana", { user: { id: "ben" } }, room);
  const reader = await appear("ben", null, { ...room, token: tokenOf("ben", { access: "read" }) });
  await sees(one, { [tab.doc.clientID]: ana });
  const document = server.rooms.documents.get("room");
  if (!document) throw new Error("the room");
  const [first, second] = [one.doc.clientID, tab.doc.clientID];
  expect(whoIsIn(document)).toEqual([
    { id: "ana", name: "Ana", connections: 2, access: "write", clients: [first, second] },
    { id: "ben", name: "Ben", connections: 1, access: "read", clients: [] },
  ]);
  tab.leave();
  reader.leave();
  await present(1);
  expect(whoIsIn(document)).toEqual([
    { id: "ana", name: "Ana", color: "tomato", connections: 1, access: "read", clients: [first] },
  ]);
  // As y-protocols gives up somebody who is still connected.
  removeAwarenessStates(document.awareness, [first], "timeout");
  expect(whoIsIn(document)).toMatchObject([{ id: "ana", connections: 1, clients: [] }]);
});

test("[F3] beforeHandleAwareness sees the signed state, and may change it, add to it and take it away", async () => {
  const seen: unknown[] = [];
  const { room } = await start([
    {
      async beforeHandleAwareness({ states, context }) {
        for (const [client, state] of states) {
          seen.push([context?.user.id, structuredClone(state)]);
          if (state["hidden"]) states.delete(client);
          state["role"] = "guest";
        }
        states.set(4711, { bot: true });
      },
    },
  ]);
  const raw = await enterRaw("ana", room);
  const other = await appear("ben", null, room);
  sendPresence(raw, "room", { client: 7, state: { user: { name: "Eve" } } });
  await sees(other, { 7: { ...ana, role: "guest" }, 4711: { bot: true } });
  sendPresence(raw, "room", { client: 7, clock: 2, state: { hidden: true } });
  sendPresence(raw, "room", { client: 7, clock: 3, state: { step: 3 } });
  await sees(other, { 7: { step: 3, ...ana, role: "guest" }, 4711: { bot: true } });
  expect(seen).toEqual([
    ["ana", ana],
    ["ana", { hidden: true, ...ana }],
    ["ana", { step: 3, ...ana }],
  ]);
  raw.socket.close();
  await sees(other, {});
});

test("[P1] no hook is shown what somebody says under the client id of somebody else", async () => {
  const seen: unknown[] = [];
  const { room } = await start([
    {
      async beforeHandleAwareness({ states, context }) {
        for (const client of states.keys()) seen.push([context?.user.id, client]);
      },
    },
  ]);
  const [owner, attacker] = [await enterRaw("ana", room), await enterRaw("ben", room)];
  const witness = await appear("cleo", null, room);
  sendPresence(owner, "room", { client: 7, state: {} });
  await sees(witness, { 7: ana });
  sendPresence(attacker, "room", { client: 7, state: {} });
  sendPresence(attacker, "room", { client: 8, state: {} });
  await sees(witness, { 7: ana, 8: ben });
  expect(seen).toEqual([
    ["ana", 7],
    ["ben", 8],
  ]);
});

test("[P1] of two who come with one client id while a hook keeps both waiting, one is seen with it", async () => {
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  const { server, room } = await start([
    {
      async beforeHandleAwareness() {
        waiting++;
        await gate.promise;
      },
    },
  ]);
  const [first, second] = [await enterRaw("ana", room), await enterRaw("ben", room)];
  const shown: unknown[] = [];
  const { awareness } = server.rooms.documents.get("room") ?? {};
  awareness?.on("update", () => shown.push(awareness.states.get(7)?.["user"]));
  for (const client of [first, second]) sendPresence(client, "room", { client: 7, state: {} });
  await until("both wait", () => waiting === 2);
  gate.resolve();
  for (const client of [first, second]) {
    client.update("room", typed("x")[0] as Uint8Array);
    await until("the barrier's ack", () => client.acksTo("room") === 1);
  }
  expect(shown).toHaveLength(1);
});

test("[P1] who says first thing that somebody has gone, and nobody of that id is there, is seen with another", async () => {
  const { room } = await start();
  const witness = await appear("ben", null, room);
  const client = await enterRaw("ana", room);
  sendPresence(client, "room", { client: 7, state: null }, { client: 8, state: {} });
  await sees(witness, { 8: ana });
  sendPresence(client, "room", { client: 7, state: null });
  sendPresence(client, "room", { client: 8, clock: 2, state: { step: 2 } });
  await sees(witness, { 8: { step: 2, ...ana } });
});

test("[F3] a state that waited for a hook while its client left is shown to nobody", async () => {
  const gate = Promise.withResolvers<void>();
  let waiting = false;
  const { server, room, present } = await start([
    {
      async beforeHandleAwareness() {
        waiting = true;
        await gate.promise;
      },
    },
  ]);
  const raw = await enterRaw("ana", room);
  const other = await appear("ben", null, room);
  sendPresence(raw, "room", { client: 7, state: {} });
  await until("the hook", () => waiting);
  raw.socket.terminate();
  await present(1);
  gate.resolve();
  other.text.insert(0, "x");
  await other.saved();
  expect(seenBy(other)).toEqual({});
  expect(server.rooms.documents.get("room")?.awareness.getStates().size).toBe(0);
});

test("[F3] onAwarenessUpdate hears what is added, updated and removed, and by whom", async () => {
  const heard: unknown[] = [];
  const { room } = await start([
    {
      async onAwarenessUpdate({ added, updated, removed, connection, states }) {
        heard.push([added, updated, removed, connection?.context.user.id, states.length]);
      },
    },
  ]);
  const raw = await enterRaw("ana", room);
  for (const state of [{}, { step: 1 }, null]) sendPresence(raw, "room", { client: 7, state });
  await until("three", () => heard.length === 3);
  sendPresence(raw, "room", { client: 7, state: {} });
  await until("four", () => heard.length === 4);
  raw.socket.close();
  await until("five", () => heard.length === 5);
  expect(heard).toEqual([
    [[7], [], [], "ana", 1],
    [[], [7], [], "ana", 1],
    [[], [], [7], "ana", 0],
    [[7], [], [], "ana", 1],
    [[], [], [7], undefined, 0],
  ]);
});
