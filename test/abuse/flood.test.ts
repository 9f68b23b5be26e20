/** Who sends more than anybody can mean. */
import { once } from "node:events";
import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import { MessageType } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import { Debts } from "../../limits/debts.ts";
import { Sender, SenderRules } from "../../limits/sender.ts";
import { TokenBucket } from "../../limits/token-bucket.ts";
import { connect } from "../support/client.ts";
import { startComposition, type Composition } from "../support/composition.ts";
import { appear, enterRaw, namedUsers, seenBy, sendPresence, tokenOf } from "../support/presence.ts";
import { RawClient } from "../support/raw-client.ts";
import { typed } from "../support/updates.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const PER_SECOND = 100;
const BURST = 10 * PER_SECOND;

const refusals = (server: Composition): number =>
  server.log.events("refused").filter((line) => line["reason"] === "rate-limited").length;

const lettersIn = (server: Composition): number =>
  server.rooms.documents.get("room")?.getText("text").length ?? 0;

test("[M5] a bucket gives its burst at once and then its rate, owes what was spent, and never holds more", () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 2 });
  const takes = (now: number, tries: number): number =>
    Array.from({ length: tries }, () => bucket.take(now)).filter(Boolean).length;
  expect([takes(0, 5), takes(500, 5), takes(600, 5), takes(1000, 5)]).toEqual([3, 1, 0, 1]);
  expect(takes(1_000_000, 5)).toBe(3);
  bucket.spend(7, 1_000_000);
  expect([takes(1_003_000, 1), takes(1_004_100, 2)]).toEqual([0, 1]);
});

test("[M6] debts are few, and go once they are paid", () => {
  const debts = new Debts(2);
  const spent = (): TokenBucket => {
    const bucket = new TokenBucket({ burst: 10, perSecond: 1 });
    bucket.spend(10, 0);
    return bucket;
  };
  debts.keep("honest", new TokenBucket({ burst: 10, perSecond: 1 }), 0);
  expect(debts.size).toBe(0);
  for (const key of ["a", "b", "c"]) debts.keep(key, spent(), 0);
  expect(debts.size).toBe(2);
  const next = new TokenBucket({ burst: 10, perSecond: 1 });
  debts.settle("c", next);
  expect(next.level(1000)).toBe(1);
  const late = new TokenBucket({ burst: 10, perSecond: 1 });
  late.spend(10, 60_000);
  debts.keep("d", late, 60_000);
  expect(debts.size).toBe(1);
});

test(
  "[M5] [M7] who floods is not listened to any more, is closed after ten seconds, and the others notice nothing",
  { timeout: 60_000 },
  async () => {
    const limits = { MAX_MESSAGES_PER_SECOND: String(PER_SECOND), MAX_ROOMS_PER_CONNECTION: "4" };
    const server = await startComposition(limits);
    const bystanders = await Bystanders.join(server.url);
    const floods: Record<string, (client: RawClient) => void | Promise<void>> = {
      edits: (client) => typed("x".repeat(3 * BURST)).forEach((update) => client.update("room", update)),
      // One after the other: `ws` itself ends a client with more than 60 in one turn.
      pings: async (client) => {
        const closed = once(client.socket, "close");
        for (let i = 0; i < 2 * BURST && !client.close; i++) await Promise.race([client.caughtUp(), closed]);
      },
      pongs: (client) => {
        for (let i = 0; i < 2 * BURST; i++) client.socket.pong();
      },
      strays: (client) => {
        for (let i = 0; i < 2 * BURST; i++) client.send("a room that it never asked for", MessageType.Sync);
      },
      logins: (client) => {
        for (let i = 0; i < 100; i++) client.login("constructor");
      },
      // Of rooms that it leaves again, so that each comes to Hocuspocus.
      entries: (client) => {
        for (let i = 0; i < 100; i++) {
          client.login("elsewhere");
          client.send("elsewhere", MessageType.CLOSE);
        }
      },
      firstSyncs: (client) => {
        for (let i = 0; i < 100; i++) client.firstSync("room");
      },
    };
    await bystanders.during(
      Promise.all(
        Object.entries(floods).map(async ([name, flood]) => {
          const client = await new RawClient(server.url).inside("room");
          await flood(client);
          expect(await client.closed(30_000), name).toEqual({ code: 4429, reason: "rate-limited" });
        }),
      ),
    );
    expect(refusals(server)).toBe(Object.keys(floods).length);
    // What came in while it was handled is the rate's share of that time.
    expect(lettersIn(server)).toBeGreaterThan(BURST / 2);
    expect(lettersIn(server)).toBeLessThan(2 * BURST);
    await until(
      "nothing left",
      () => server.usage().waitingBytes === 0 && server.usage().unauthenticated === 0,
    );
    expect(server.rooms.documents.get("room")?.getConnectionsCount()).toBe(2);
  },
);

test("[M5] of who is not listened to nothing more is read either", async () => {
  const server = await startComposition({ MAX_MESSAGES_PER_SECOND: String(PER_SECOND) });
  const [flooder, honest] = [
    await new RawClient(server.url).inside("room"),
    await new RawClient(server.url).inside("room"),
  ];
  for (let i = 0; i < 2 * BURST; i++) flooder.send("elsewhere", MessageType.Sync);
  await until("not listened to", () => refusals(server) === 1);
  // More than the system takes in for somebody who does not read.
  const megabytes = (client: RawClient, count: number): void => {
    for (let i = 0; i < count; i++)
      client.send("elsewhere", MessageType.Sync, (encoder) =>
        encoding.writeUint8Array(encoder, new Uint8Array(1024 * 1024)),
      );
  };
  megabytes(flooder, 32);
  // A barrier: twice as much, sent later, is read.
  megabytes(honest, 64);
  await honest.caughtUp();
  expect([flooder.socket.bufferedAmount > 0, honest.close]).toEqual([true, null]);
});

test(
  "[M5] a burst within the limits costs nothing, and the stock provider comes back after a flood",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition({ MAX_MESSAGES_PER_SECOND: String(PER_SECOND) });
    const busy = await connect({ url: server.url, name: "room" }).saved();
    const write = (letters: number): void => {
      for (let i = 0; i < letters; i++) busy.text.insert(busy.text.length, "x");
    };
    write(BURST / 2);
    await busy.saved();
    expect(busy.closes).toEqual([]);
    write(2 * BURST);
    await until("closed", () => busy.closes[0], { timeoutMs: 30_000 });
    expect(busy.closes[0]?.code).toBe(4429);
    await busy.saved();
    expect(lettersIn(server)).toBe(2.5 * BURST);
  },
);

test("[M6] a new socket of the same user at the same address begins where the last one ended, or is; another user's does not", async () => {
  const server = await startComposition({ ...namedUsers, MAX_MESSAGES_PER_SECOND: String(PER_SECOND) });
  const join = (user: string): Promise<RawClient> => enterRaw(user, { url: server.url, name: "room" });
  const nothing = Y.encodeStateAsUpdate(new Y.Doc());
  const send = (client: RawClient, messages: number): void => {
    for (let i = 0; i < messages; i++) client.update("room", nothing);
  };
  /** Within the limits, so that whoever begins anew may; more than comes back in the seconds that a busy machine takes. */
  const much = BURST * 0.9;
  const left = await join("mallory");
  send(left, much);
  left.socket.close();
  await until("gone", () => server.rooms.documents.get("room")?.getConnectionsCount() === 0);
  const next = await join("mallory");
  send(next, much);
  await until("not listened to", () => refusals(server) === 1);
  expect(next.acksTo("room")).toBeLessThan(much);
  // Is not read any more, and not closed yet.
  send(await join("eve"), BURST * 1.5);
  await until("eve is not listened to", () => refusals(server) === 2);
  const second = await join("eve");
  send(second, much);
  await until("nor is her second socket", () => refusals(server) === 3);
  expect(second.acksTo("room")).toBeLessThan(much);
  const honest = await join("ana");
  send(honest, much);
  await until("all acknowledged", () => honest.acksTo("room") === much);
  expect([honest.close, refusals(server)]).toEqual([null, 3]);
});

test("[M6] what a user has used up counts at that address and for that room, and comes along with presence and first syncs", () => {
  const rules = new SenderRules({ maxMessagesPerSecond: PER_SECOND, maxRoomsPerConnection: 4 });
  const enter = (address: string, user: string): Sender => {
    const sender = new Sender(rules, address);
    sender.entered(user);
    return sender;
  };
  const first = enter("192.0.2.1", "mallory");
  while (first.mayMessage(0));
  while (first.mayShow(100_000, 0));
  while (first.mayAsk("room", 0));
  first.handlingTook(5000, 0);
  first.leaveDebts(0);
  /** Whether it may send, show, ask about the room and about another one, and be handled. */
  const may = (sender: Sender): readonly boolean[] => [
    sender.mayMessage(0),
    sender.mayShow(1, 0),
    sender.mayAsk("room", 0),
    sender.mayAsk("another", 0),
    !sender.isTooCostly(0),
  ];
  expect(may(enter("192.0.2.1", "mallory"))).toEqual([false, false, false, true, false]);
  expect(may(enter("192.0.2.1", "ana"))).toEqual([true, true, true, true, true]);
  expect(may(enter("192.0.2.2", "mallory"))).toEqual([true, true, true, true, true]);
});

test("[M19] presence beyond 128 kB a second is not passed on, and who sends it is put out and held off", async () => {
  const server = await startComposition();
  const bystanders = await Bystanders.join(server.url);
  await bystanders.during(
    (async () => {
      const witness = await new RawClient(server.url).inside("room");
      const flooder = await new RawClient(server.url).inside("room");
      const beginsAt = performance.now();
      for (let clock = 1; clock <= 200; clock++)
        sendPresence(flooder, "room", { client: 7, clock, state: { junk: "x".repeat(15_000) } });
      await until("refused", () => refusals(server) > 0);
      const seconds = (performance.now() - beginsAt) / 1000;
      await witness.caughtUp();
      const shown = witness.messages.filter(({ byteLength }) => byteLength > 15_000).length;
      // The burst, the one that owes, and what came back meanwhile.
      expect(shown).toBeGreaterThan(40);
      expect(shown).toBeLessThan((640 + 128 * seconds) / 14.6 + 2);
    })(),
  );
});

test("[M19] all sockets of a user together show 256 kB a second", async () => {
  const server = await startComposition(namedUsers);
  const place = { url: server.url, name: "room" };
  const witness = await enterRaw("ana", place);
  const sockets = await Promise.all(Array.from({ length: 8 }, () => enterRaw("mallory", place)));
  const beginsAt = performance.now();
  let clock = 0;
  const showAll = (): void => {
    clock++;
    for (const [client, socket] of sockets.entries())
      sendPresence(socket, "room", { client, clock, state: { junk: "x".repeat(15_000) } });
  };
  // Of each socket less than it may show by itself; together twice as much as a user may.
  for (let times = 0; times < 40; times++) showAll();
  await until("all put out", () => {
    showAll();
    return refusals(server) === sockets.length;
  });
  const seconds = (performance.now() - beginsAt) / 1000;
  await witness.caughtUp();
  const shown = witness.messages.filter(({ byteLength }) => byteLength > 15_000).length;
  expect(shown).toBeGreaterThan(160);
  // What each of them had not been charged for yet comes on top.
  expect(shown).toBeLessThan((2560 + 256 * seconds) / 14.6 + 2 * sockets.length);
});

test("[M5] [M19] ten seconds of a page with five rooms and a cursor at 60 Hz in each may come at once", async () => {
  const server = await startComposition(namedUsers);
  const websocketProvider = new HocuspocusProviderWebsocket({ url: server.url });
  onTestFinished(() => websocketProvider.destroy());
  const page = ["a", "b", "c", "d", "e"].map((name) => {
    const provider = new HocuspocusProvider({ websocketProvider, name, token: tokenOf("ana") });
    provider.attach();
    onTestFinished(() => provider.destroy());
    return provider;
  });
  await until("all in", () => page.every(({ synced }) => synced));
  const witness = await appear("ben", null, { url: server.url, name: "e" });
  let closes = 0;
  websocketProvider.on("close", () => closes++);
  // As editors place a cursor: beside an element, by its id.
  const beside = (clock: number): object => ({
    type: null,
    tname: null,
    item: { client: 2_147_483_647, clock },
    assoc: 0,
  });
  for (let frame = 0; frame < 600; frame++)
    for (const { awareness } of page)
      awareness?.setLocalState({ frame, cursor: { anchor: beside(frame), head: beside(frame) } });
  await until("the last frame seen", () => Object.values(seenBy(witness)).some(({ frame }) => frame === 599));
  expect([closes, refusals(server)]).toEqual([0, 0]);
});
