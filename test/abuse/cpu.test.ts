/** Who sends what takes the event loop long. */
import * as encoding from "lib0/encoding";
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { ThreadedStore } from "../../storage/threaded-store.ts";
import { readContents } from "../../sync/update-contents.ts";
import { Sender, SenderRules } from "../../limits/sender.ts";
import { UserBudgets } from "../../limits/user-budgets.ts";
import { startComposition } from "../support/composition.ts";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { Bystanders } from "./bystanders.ts";

const CLIENT = 4711;
const LIMITS = { maxMessagesPerSecond: 1000, maxRoomsPerConnection: 10 };

/** So many elements of two bytes each, that nobody has typed. */
function forgedElements(count: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const value of [1, count, CLIENT, 0]) encoding.writeVarUint(encoder, value);
    // GC, length 1.
    for (let i = 0; i < count; i++) for (const byte of [0, 1]) encoding.writeUint8(encoder, byte);
    encoding.writeVarUint(encoder, 0);
  });
}

/** So many deleted elements, each a range of its own. */
function forgedDeletions(count: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const value of [0, 1, CLIENT, count]) encoding.writeVarUint(encoder, value);
    for (let i = 0; i < count; i++) for (const value of [2 * i, 1]) encoding.writeVarUint(encoder, value);
  });
}

test("[M11] what takes long is named: room, user, type, milliseconds, bytes; and counted by room", async () => {
  const server = await startComposition();
  const client = await new RawClient(server.url).inside("room");
  client.update("room", forgedDeletions(300_000));
  await until("a line", () => server.log.events("slow-message").length > 0);
  const [line] = server.log.events("slow-message");
  expect(line).toMatchObject({
    room: "room",
    type: "Sync",
    user: expect.stringMatching(/^guest-/) as string,
  });
  expect(line?.["ms"]).toBeGreaterThanOrEqual(50);
  expect(line?.["bytes"]).toBeGreaterThan(300_000);
  expect(await server.metrics.text()).toContain('righttask_slow_messages_total{room="room"} 1');
});

test("[M11] a load that takes long is named, and nobody is charged for it", async () => {
  const loading = Promise.withResolvers<void>();
  const server = await startComposition();
  server.store.load = async (room) => {
    await loading.promise;
    return ThreadedStore.prototype.load.call(server.store, room);
  };
  const client = await new RawClient(server.url).opened();
  client.login("room");
  const startedAt = performance.now();
  await until("slow enough", () => performance.now() - startedAt > 250);
  loading.resolve();
  client.firstSync("room");
  await client.received("room", MessageType.Sync);
  expect(server.log.events("slow-load")).toMatchObject([{ room: "room", bytes: 0 }]);
});

test("[M12] two seconds in ten are a client's, whether it spends them at once or not", () => {
  const sender = new Sender(new SenderRules(LIMITS), "192.0.2.1");
  sender.handlingTook(1900, 0);
  expect(sender.isTooCostly(0)).toBe(false);
  sender.handlingTook(1000, 0);
  expect([sender.isTooCostly(0), sender.isTooCostly(4400), sender.isTooCostly(4600)]).toEqual([
    true,
    true,
    false,
  ]);
});

test("[M12] all sockets of a user, wherever they are, have eight seconds at once, and two in five from then on", () => {
  const rules = new SenderRules(LIMITS);
  let addresses = 0;
  const enter = (user: string): Sender => {
    const sender = new Sender(rules, `192.0.2.${++addresses}`);
    sender.entered(user);
    return sender;
  };
  const quiet = enter("mallory");
  for (let i = 0; i < 12; i++) quiet.handlingTook(25, 0);
  const sockets = Array.from({ length: 4 }, () => enter("mallory"));
  for (const socket of sockets) socket.handlingTook(1900, 0);
  expect(quiet.isTooCostly(0)).toBe(false);
  // In pieces, each less than what one is charged for at once, by sockets that are closed again.
  for (let i = 0; i < 100; i++) {
    const socket = enter("mallory");
    socket.handlingTook(4, 0);
    socket.leaveDebts(0);
  }
  const isTooCostly = (now: number): readonly boolean[] =>
    [quiet, ...sockets, enter("mallory"), enter("ana")].map((sender) => sender.isTooCostly(now));
  expect(isTooCostly(0)).toEqual([true, true, true, true, true, true, false]);
  expect(isTooCostly(700)).toEqual([true, true, true, true, true, true, false]);
  expect(isTooCostly(800)).toEqual([false, false, false, false, false, false, false]);
});

test("[M12] [M19] the budgets of users are few, and those that are full again go first", () => {
  const budgets = new UserBudgets(3);
  budgets.of("full again", 0).handlingMs.spend(400, 0);
  budgets.of("took", 0).handlingMs.spend(8000, 0);
  budgets.of("showed", 0).presenceBytes.spend(2_000_000, 0);
  budgets.of("next", 1000).handlingMs.spend(8000, 1000);
  const known = (): readonly string[] =>
    ["full again", "took", "showed", "next", "last"].filter((user) => budgets.known(user));
  expect(known()).toEqual(["took", "showed", "next"]);
  // None is full: the oldest.
  budgets.of("last", 1000);
  expect(known()).toEqual(["showed", "next", "last"]);
});

test(
  "[M12] who keeps everybody waiting is put out for good, and its next message is not looked at",
  { timeout: 60_000 },
  async () => {
    const server = await startComposition();
    const bystanders = await Bystanders.join(server.url);
    const costly = forgedDeletions(500_000);
    await bystanders.during(
      (async () => {
        const client = await new RawClient(server.url).inside("room");
        const refusals = (): number => server.log.events("refused").length;
        // On a busy machine an honest message is slow as well.
        const lookedAt = (): number =>
          server.log.events("slow-message").filter(({ bytes }) => Number(bytes) > costly.byteLength).length;
        const dealtWith = (): number => lookedAt() + refusals();
        // Once more when it is back. A little of its time may have come back by then, and be used up again.
        for (let sent = 1, returns = 0; refusals() < 2; sent++) {
          if (returns < refusals()) {
            client.login("room");
            returns++;
          }
          client.update("room", costly);
          await until("looked at, or refused", () => dealtWith() === sent);
        }
        await client.refused("room", "too-costly");
        expect(client.close).toBeNull();
      })(),
      // There is one event loop: until the attacker is put out, everybody waits for each of its messages.
      { maxMs: 4000, medianMs: 1000 },
    );
    expect(server.log.events("refused").every((line) => line["reason"] === "too-costly")).toBe(true);
    expect(server.rooms.documents.get("room")?.getConnectionsCount()).toBe(2);
  },
);

test.for([
  ["elements", forgedElements],
  ["deletions", forgedDeletions],
] as const)("[M12] an update of more than a million %s is given up on while it is read", ([, forge]) => {
  expect(() => readContents(forge(1_000_001))).toThrow("too many parts");
});
