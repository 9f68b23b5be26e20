/** Rooms that are open at two instances. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Document, type Connection } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { describe, expect, onTestFinished, test } from "vitest";
import { encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { messageYjsUpdate } from "y-protocols/sync";
import * as Y from "yjs";
import { newInstanceId, unseal } from "../../fanout/envelope.ts";
import { RemotePeople } from "../../fanout/remote-people.ts";
import { closeReasons } from "../../lib/close-reasons.ts";
import { renewalTiming } from "../../presence/renewal-timing.ts";
import { connect, type Client } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { clusterEnv, redisState, startCluster } from "../support/instances.ts";
import { appear, enterRaw, namedUsers, seenBy, sees, sendPresence, tokenOf } from "../support/presence.ts";
import { describeWithRedis, type TestRedis } from "../support/redis.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** The instance that published it, for each edit of a room from now on. */
async function editsPublished(redis: TestRedis, room: string): Promise<string[]> {
  const listener = redis.client.duplicate();
  const published: string[] = [];
  listener.on("messageBuffer", (_channel: Buffer, payload: Buffer) => {
    const { from, message } = unseal(payload);
    const decoder = decoding.createDecoder(message);
    decoding.readVarString(decoder);
    const isEdit = decoding.readVarUint(decoder) === 0 && decoding.readVarUint(decoder) === messageYjsUpdate;
    if (isEdit) published.push(from);
  });
  await listener.subscribe(`righttask:${room}`);
  onTestFinished(() => listener.disconnect());
  return published;
}

/** Everybody whom these clients see with a client id from now on. */
function usersSeen(clients: readonly Client[], id: number): ReadonlySet<unknown> {
  const users = new Set<unknown>();
  for (const { provider } of clients)
    provider.awareness?.on("update", () => {
      const user: unknown = provider.awareness?.getStates().get(id)?.["user"];
      users.add((user as { readonly id: string } | undefined)?.id);
    });
  return users;
}

describeWithRedis("several instances", (redis) => {
  const name = "room";

  test("[I1] an edit at one instance reaches everybody at the other, once, and its author not again", async () => {
    const { servers } = await startCluster(redis);
    const [one, two] = servers;
    const [author, neighbour, reader] = await Promise.all([
      connect({ url: one.url, name, token: tokenOf("ana") }).synced(),
      connect({ url: one.url, name, token: tokenOf("ben") }).synced(),
      connect({ url: two.url, name, token: tokenOf("cleo") }).synced(),
    ]);
    const published = await editsPublished(redis, name);
    for (let i = 0; i < 20; i++) author.text.insert(i, "x");
    await until("all edits at the other", () => reader.content.length === 20);
    reader.text.insert(0, "answer ");
    await until(
      "an answer",
      () => author.content.startsWith("answer") && neighbour.content === author.content,
    );
    // Everything that is on its way has come by then: Redis and sockets keep the order.
    expect([author.updatesReceived, neighbour.updatesReceived, reader.updatesReceived]).toEqual([1, 21, 20]);
    await Promise.all([author.saved(), reader.saved()]);
    const byInstance = published.map((from) => published.filter((other) => other === from).length);
    expect(byInstance.toSorted((a, b) => a - b)).toEqual([1, ...Array.from({ length: 20 }, () => 20)]);
  });

  test("[I1] what an extension broadcasts reaches the clients of all instances, once", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const servers = [await startComposition(env), await startComposition(env)] as const;
    const heard: string[] = [];
    const [here] = await Promise.all(
      servers.map(({ url }, index) =>
        connect({
          url,
          name,
          token: tokenOf("ana"),
          onStateless: ({ payload }) => heard.push(`${index} ${payload}`),
        }).synced(),
      ),
    );
    const document = servers[0].rooms.documents.get(name);
    document?.broadcastStateless("first");
    document?.broadcastStateless("last");
    await until("heard", () => heard.filter((line) => line.endsWith("last")).length === 2);
    expect(heard.toSorted()).toEqual(["0 first", "0 last", "1 first", "1 last"]);
    here?.leave();
  });

  test("[I1] what comes fast at one instance reaches the other once and in its order", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const servers = [await startComposition(env), await startComposition(env)] as const;
    const heard: string[] = [];
    const [writer] = await Promise.all([
      connect({ url: servers[0].url, name, token: tokenOf("ana") }).synced(),
      connect({
        url: servers[1].url,
        name,
        token: tokenOf("ben"),
        onStateless: ({ payload }) => heard.push(payload),
      }).synced(),
    ]);
    // In more turns of the event loop than go out by themselves, and with pauses in between.
    const sent: string[] = [];
    for (let burst = 0; burst < 5; burst++) {
      for (let i = 0; i < 100; i++) {
        sent.push(`${burst} ${i}`);
        servers[0].rooms.documents.get(name)?.broadcastStateless(sent.at(-1) ?? "");
        await nextTurn();
      }
      await until("all heard", () => heard.length >= sent.length);
    }
    writer.leave();
    expect(heard).toEqual(sent);
  });

  test("[I2] people see each other across instances, and are gone when they leave", async () => {
    const { servers } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await appear("ana", { cursor: 1 }, { url: one.url, name });
    const ben = await appear("ben", { cursor: 2 }, { url: two.url, name });
    const anaState = { user: { id: "ana", name: "Ana" } };
    const benState = { user: { id: "ben", name: "Ben" } };
    await sees(ben, { [ana.doc.clientID]: { cursor: 1, ...anaState } });
    await sees(ana, { [ben.doc.clientID]: { cursor: 2, ...benState } });
    ana.provider.awareness?.setLocalState({ cursor: 3 });
    await sees(ben, { [ana.doc.clientID]: { cursor: 3, ...anaState } });
    // A newcomer's greeting raises clocks, at one instance only; that she is gone has an older one, and counts.
    (await appear("cleo", {}, { url: two.url, name })).leave();
    await sees(ben, { [ana.doc.clientID]: { cursor: 3, ...anaState } });
    ana.leave();
    await sees(ben, {});
  });

  test("[P4] [I2] where a room goes in the moment in which people leave it, they are gone at the other instance as well", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const [one, two] = [await startComposition(env), await startComposition(env)];
    const witness = await appear("ben", {}, { url: two.url, name });
    const ana = await enterRaw("ana", { url: one.url, name });
    sendPresence(ana, name, { client: 7, state: {} });
    await sees(witness, { 7: { user: { id: "ana", name: "Ana" } } });
    const document = one.rooms.documents.get(name);
    if (!document) throw new Error("the room");
    one.rooms.discard(document, () => closeReasons.roomReloaded);
    await sees(witness, {});
  });

  test("[P4] [I2] who is heard to be at another instance in the turn in which their old connection ends stays seen", async () => {
    const server = await startComposition(namedUsers);
    const ben = await appear("ben", {}, { url: server.url, name });
    const ana = await appear("ana", { at: "one" }, { url: server.url, name });
    const id = ana.doc.clientID;
    await until("seen", () => seenBy(ben)[id]?.["at"] === "one");
    const document = server.rooms.documents.get(name);
    if (!document) throw new Error("the room");
    const elsewhere = new Document(name);
    const state = { at: "two", user: { id: "ana", name: "Ana" } };
    elsewhere.awareness.states.set(id, state);
    const clock = (document.awareness.meta.get(id)?.clock ?? 0) + 16;
    elsewhere.awareness.meta.set(id, { clock, lastUpdated: Date.now() });
    const gone: number[] = [];
    ben.provider.awareness?.on("change", ({ removed }: { removed: number[] }) => gone.push(...removed));
    document.removeConnection(document.getConnections()[1] as Connection);
    new RemotePeople(document).receive(encodeAwarenessUpdate(elsewhere.awareness, [id]), newInstanceId(), {
      areAll: false,
    });
    await sees(ben, { [id]: state });
    // What was gathered in that turn has been told by now.
    await nextTurn();
    document.broadcastStateless("barrier");
    await sees(ben, { [id]: state });
    expect(gone).toEqual([]);
    elsewhere.destroy();
  });

  test("[M20] what comes from other instances counts, and when it is too much empty rooms go", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const one = await startComposition(env);
    const two = await startComposition({ ...env, MAX_ROOMS_BYTES: "8000000" });
    const reader = await connect({ url: two.url, name, token: tokenOf("ben") }).synced();
    (await connect({ url: two.url, name: "empty", token: tokenOf("ben") }).synced()).leave();
    const writer = await connect({ url: one.url, name, token: tokenOf("ana") }).synced();
    // Nobody alone might bring as much here.
    for (let i = 0; i < 8; i++) {
      writer.text.insert(0, "x".repeat(1_000_000));
      await writer.saved();
    }
    await until("all of it here", () => reader.content.length === 8_000_000);
    await until("the empty room gone", () => !two.rooms.documents.has("empty"));
    expect(two.log.events("memory").map(({ memory }) => memory)).toEqual(["short"]);
    // What one adds here is refused, what only takes away is not.
    reader.text.delete(0, 1);
    await reader.saved();
    reader.text.insert(0, "y");
    await reader.closedWith(4506);
  });

  test("[I2] who moved while Redis was away is seen where they are, not where their old connection is not known to be dead", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const timing = { presenceTiming: { ...renewalTiming, sweepMs: 20 } };
    const one = await startComposition(env, [], timing);
    const two = await startComposition(env);
    const network = await TcpProxy.to(one.port);
    onTestFinished(() => network.close());
    const ana = await appear("ana", { at: "one" }, { url: `ws://127.0.0.1:${network.port}`, name });
    const id = ana.doc.clientID;
    const cleo = await appear("cleo", {}, { url: one.url, name });
    const ben = await appear("ben", {}, { url: two.url, name });
    const whereabouts = (client: Client): unknown => seenBy(client)[id]?.["at"];
    await until("seen by both", () => [cleo, ben].every((client) => whereabouts(client) === "one"));
    const lastState = (state: string): Promise<unknown> =>
      until(`Redis ${state}`, () =>
        [one, two].every(({ log }) => log.events("redis").at(-1)?.["redis"] === state),
      );
    await redis.stop();
    await lastState("down");
    network.hold("toServer", "toClient");
    await appear("ana", { at: "two" }, { url: two.url, name, document: ana.doc });
    await until("seen there", () => whereabouts(ben) === "two");
    // Later the server says again for the old connection what it has said last.
    const meta = one.rooms.documents.get(name)?.awareness.meta;
    const before = meta?.get(id);
    if (before) before.lastUpdated -= renewalTiming.afterMs;
    await until("renewed", () => (meta?.get(id)?.clock ?? 0) > (before?.clock ?? 0));

    const seen = new Set<unknown>();
    ben.provider.awareness?.on("update", () => seen.add(whereabouts(ben)));
    await redis.start();
    await lastState("up");
    await until("seen at the old place", () => whereabouts(cleo) === "two");
    cleo.provider.awareness?.setLocalState({ barrier: 1 });
    await until("the barrier", () => seenBy(ben)[cleo.doc.clientID]?.["barrier"] === 1);
    // Nor does it take anything along when it is found out.
    network.cut();
    await until("found out", () => one.log.events("connection-left").some(({ user }) => user === "ana"));
    cleo.provider.awareness?.setLocalState({ barrier: 2 });
    await until("the barrier", () => seenBy(ben)[cleo.doc.clientID]?.["barrier"] === 2);
    expect([[...seen], whereabouts(ben), whereabouts(cleo)]).toEqual([["two"], "two", "two"]);
  });

  test("[P6] [I2] nothing is kept of those who came and left at other instances", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const servers = [await startComposition(env), await startComposition(env)] as const;
    await connect({ url: servers[1].url, name, token: tokenOf("ana") }).synced();
    await connect({ url: servers[0].url, name, token: tokenOf("ben") }).synced();
    const [origin, here] = servers.map(({ rooms }) => rooms.documents.get(name));
    if (!origin || !here) throw new Error("open at both");
    for (let i = 0; i < 150; i++) {
      // As one who comes, is seen and leaves.
      const client = 1000 + i;
      origin.awareness.states.set(client, { v: i });
      origin.awareness.meta.set(client, { clock: 1, lastUpdated: Date.now() });
      origin.awareness.emit("update", [{ added: [client], updated: [], removed: [] }, "local"]);
      await until("seen", () => here.awareness.states.has(client));
      removeAwarenessStates(origin.awareness, [client], "local");
      await until("gone", () => !here.awareness.states.has(client));
    }
    expect(here.awareness.meta.size).toBeLessThan(100);
  });

  describe("somebody comes with the client id of a person at another instance", () => {
    const anaState = { v: 1, user: { id: "ana", name: "Ana" } };
    const benState = { v: 2, user: { id: "ben", name: "Ben" } };
    const cleoState = { v: 3, user: { id: "cleo", name: "Cleo" } };

    /** Ana and Ben at one, Cleo at the other; all seen by all. */
    async function three() {
      const { servers } = await startCluster(redis);
      const [one, two] = servers;
      const ana = await appear("ana", { v: 1 }, { url: one.url, name });
      const ben = await appear("ben", { v: 2 }, { url: one.url, name });
      const cleo = await appear("cleo", { v: 3 }, { url: two.url, name });
      const id = ana.doc.clientID;
      const others = { [ben.doc.clientID]: benState, [cleo.doc.clientID]: cleoState };
      await sees(ana, others);
      await sees(ben, { [id]: anaState, [cleo.doc.clientID]: cleoState });
      await sees(cleo, { [id]: anaState, [ben.doc.clientID]: benState });
      const sameId = new Y.Doc();
      sameId.clientID = id;
      return { one, two, ana, ben, cleo, id, sameId };
    }

    test("[P1] [I2] nobody else is seen with it at any instance", async () => {
      const { two, ana, ben, cleo, id, sameId } = await three();
      const users = usersSeen([ben, cleo], id);
      const mallory = await appear("mallory", { v: 666 }, { url: two.url, name, document: sameId });
      mallory.provider.awareness?.setLocalState({ v: 667 });
      await mallory.saved();
      // Barriers: whatever Mallory's presence does at one is on the same way, before them.
      cleo.provider.awareness?.setLocalState({ v: 4 });
      await sees(ben, { [id]: anaState, [cleo.doc.clientID]: { ...cleoState, v: 4 } });
      ana.provider.awareness?.setLocalState({ v: 5 });
      await sees(cleo, { [id]: { ...anaState, v: 5 }, [ben.doc.clientID]: benState });
      await sees(ben, { [id]: { ...anaState, v: 5 }, [cleo.doc.clientID]: { ...cleoState, v: 4 } });
      expect([...users]).toEqual(["ana"]);
    });

    test("[P1] [I2] nobody else is seen with it where its owner is, also when Redis was away and nobody knew", async () => {
      const { one, two, ben, cleo, id, sameId } = await three();
      const users = usersSeen([ben], id);
      await redis.stop();
      await Promise.all([one, two].map((server) => redisState(server, "down")));
      const mallory = await appear("mallory", { v: 666 }, { url: two.url, name, document: sameId });
      await until("at the other", () => seenBy(cleo)[id]?.["v"] === 666);
      await redis.start();
      await Promise.all([one, two].map((server) => redisState(server, "up", { seen: 2 })));
      mallory.provider.awareness?.setLocalState({ v: 667 });
      await until("at the other", () => seenBy(cleo)[id]?.["v"] === 667);
      // A barrier behind it, on the same way to one.
      cleo.provider.awareness?.setLocalState({ v: 4 });
      await sees(ben, { [id]: anaState, [cleo.doc.clientID]: { ...cleoState, v: 4 } });
      expect([...users].filter((user) => user !== "ana")).toEqual([]);
    });

    test("[S17] nobody else writes under it while its owner is seen", async () => {
      const { two, ana, ben, cleo, id } = await three();
      ana.text.insert(0, "first");
      await ana.saved();
      await until("there", () => cleo.content === "first");
      const mallory = await appear("mallory", null, { url: two.url, name });
      expect(mallory.content).toBe("first");
      mallory.doc.clientID = id;
      mallory.text.insert(0, "forged ");
      await mallory.closedWith(4205);
      ana.text.insert(5, " second");
      await ana.saved();
      await until("everywhere", () => [ben, cleo].every(({ content }) => content === "first second"));
      expect([ana.closes, mallory.provider.hasUnsyncedChanges]).toEqual([[], true]);
    });

    test("[S17] [I6] what somebody brings of others' is taken while Redis is away", async () => {
      const { one, two, ana, ben, id } = await three();
      await redis.stop();
      await Promise.all([one, two].map((server) => redisState(server, "down")));
      ana.text.insert(0, "ana's");
      await ana.saved();
      await until("beside her", () => ben.content === "ana's");
      ben.leave();
      const moved = connect({ url: two.url, name, token: tokenOf("ben"), document: ben.doc });
      await moved.saved();
      expect(moved.closes).toEqual([]);
      const newcomer = await connect({ url: two.url, name, token: tokenOf("dora") }).synced();
      expect([newcomer.content, newcomer.doc.store.clients.has(id)]).toEqual(["ana's", true]);
    });

    test("[P1] [S17] [I2] the same user is seen at once and may write", async () => {
      const { two, ana, ben, cleo, id } = await three();
      ana.text.insert(0, "from one");
      await ana.saved();
      const moved = connect({ url: two.url, name, token: tokenOf("ana"), document: ana.doc });
      moved.provider.awareness?.setLocalState({ v: 9 });
      const seen = { [id]: { ...anaState, v: 9 } };
      await sees(cleo, { ...seen, [ben.doc.clientID]: benState });
      await sees(ben, { ...seen, [cleo.doc.clientID]: cleoState });
      ana.leave();
      moved.text.insert(0, "from two, ");
      await moved.saved();
      await until("everywhere", () => [ben, cleo].every(({ content }) => content === "from two, from one"));
      expect(moved.closes).toEqual([]);
    });
  });
});
