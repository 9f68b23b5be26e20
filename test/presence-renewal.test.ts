/** People whose pages sleep: a browser holds back the timers of a hidden tab, and with them the heartbeat of y-protocols. */
import { expect, test } from "vitest";
import { removeAwarenessStates } from "y-protocols/awareness";
import { renewalTiming } from "../presence/renewal-timing.ts";
import type { Client } from "./support/client.ts";
import { startComposition, type Composition } from "./support/composition.ts";
import { clusterEnv } from "./support/instances.ts";
import { appear, enterRaw, namedUsers, seenBy, sees, sendPresence } from "./support/presence.ts";
import { describeWithRedis } from "./support/redis.ts";
import { tempDatabase } from "./support/temp-dir.ts";
import { until } from "./support/until.ts";

const name = "room";
const presenceTiming = { ...renewalTiming, sweepMs: 20 };
const ana = { user: { id: "ana", name: "Ana" } };

const start = (env: Readonly<Record<string, string>> = namedUsers): Promise<Composition> =>
  startComposition(env, [], { presenceTiming });

/** A tab in the background: it reads what comes, and repeats nothing by itself. */
async function appearAsleep(user: string, url: string): Promise<Client> {
  const client = await appear(user, {}, { url, name });
  // Public by its type, though not by its name.
  clearInterval(client.provider.awareness?._checkInterval);
  return client;
}

function awarenessAt({ rooms }: Composition): NonNullable<Client["provider"]["awareness"]> {
  const document = rooms.documents.get(name);
  if (!document) throw new Error("the room");
  return document.awareness;
}

/** As if so much time had passed since the server heard of somebody. */
function age(server: Composition, client: number, ms: number): void {
  const meta = awarenessAt(server).meta.get(client);
  if (!meta) throw new Error(`${client} is unknown`);
  meta.lastUpdated -= ms;
}

const clockOf = (client: number, seenFrom: Client): number =>
  seenFrom.provider.awareness?.meta.get(client)?.clock ?? 0;

/** Waits until the server says again what somebody shows. */
async function renewed(server: Composition, client: number, witness: Client): Promise<void> {
  const before = clockOf(client, witness);
  age(server, client, 25_000);
  await until("renewed", () => clockOf(client, witness) > before);
}

function removalsSeenBy(client: Client): number[] {
  const removals: number[] = [];
  client.provider.awareness?.on("change", ({ removed }: { removed: number[] }) => removals.push(...removed));
  return removals;
}

test("[P10] somebody in a hidden tab is seen without a break for as long as they are connected, and gone at once when they leave", async () => {
  const server = await start();
  const sleeper = await appearAsleep("ana", server.url);
  const witness = await appear("ben", {}, { url: server.url, name });
  await sees(witness, { [sleeper.doc.clientID]: ana });
  const removals = removalsSeenBy(witness);
  for (let minute = 0; minute < 3; minute++) await renewed(server, sleeper.doc.clientID, witness);
  // Whom nobody here answers for is forgotten, and with it anybody who is as old: y-protocols has looked.
  const awareness = awarenessAt(server);
  awareness.states.set(4711, {});
  awareness.meta.set(4711, { clock: 1, lastUpdated: Date.now() - 31_000 });
  await until("forgotten", () => !awareness.states.has(4711));
  await sees(witness, { [sleeper.doc.clientID]: ana });
  expect(removals.filter((client) => client === sleeper.doc.clientID)).toEqual([]);
  sleeper.leave();
  await sees(witness, {});
});

test("[P10] who has withdrawn their state, has left, or was given up while the machine slept, is not brought back", async () => {
  const server = await start();
  const [shy, gone, lost] = [
    await enterRaw("cleo", { url: server.url, name }),
    await enterRaw("dan", { url: server.url, name }),
    await enterRaw("eve", { url: server.url, name }),
  ];
  for (const [client, id] of [
    [shy, 7],
    [gone, 8],
    [lost, 9],
  ] as const)
    sendPresence(client, name, { client: id, state: {} });
  const sleeper = await appearAsleep("ana", server.url);
  const witness = await appear("ben", {}, { url: server.url, name });
  await until("seen", () => Object.keys(seenBy(witness)).length === 4);
  sendPresence(shy, name, { client: 7, clock: 2, state: null });
  gone.socket.terminate();
  // As y-protocols does it, of somebody who is still connected.
  removeAwarenessStates(awarenessAt(server), [9], "timeout");
  await sees(witness, { [sleeper.doc.clientID]: ana });
  for (const client of [7, 8, 9]) age(server, client, 25_000);
  await renewed(server, sleeper.doc.clientID, witness);
  await sees(witness, { [sleeper.doc.clientID]: ana });
  const shown = [...awarenessAt(server).states.keys()];
  expect(new Set(shown)).toEqual(new Set([sleeper.doc.clientID, witness.doc.clientID]));
});

test("[P10] of a crowd that fell asleep together all are renewed, some in each sweep", async () => {
  const server = await start();
  const witness = await appear("ben", {}, { url: server.url, name });
  const crowd = await Promise.all(
    Array.from({ length: 20 }, () => enterRaw("cleo", { url: server.url, name })),
  );
  for (const [id, client] of crowd.entries()) sendPresence(client, name, { client: 100 + id, state: {} });
  await until("all seen", () => Object.keys(seenBy(witness)).length === crowd.length);
  const awareness = awarenessAt(server);
  let together = 0;
  let mostTogether = 0;
  awareness.on("update", ({ updated }: { updated: number[] }) => {
    if (together === 0) setImmediate(() => (together = 0));
    together += updated.length;
    mostTogether = Math.max(mostTogether, together);
  });
  const startedAt = Date.now();
  for (const id of crowd.keys()) age(server, 100 + id, 25_000);
  await until("all renewed", () =>
    [...crowd.keys()].every((id) => (awareness.meta.get(100 + id)?.lastUpdated ?? 0) >= startedAt),
  );
  expect(mostTogether).toBe(8);
  expect(Object.keys(seenBy(witness))).toHaveLength(crowd.length);
});

describeWithRedis("several instances", (redis) => {
  test("[P10] [I2] somebody in a hidden tab is seen at the other instance, which does not answer for them itself", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const [one, two] = [await start(env), await start(env)];
    const sleeper = await appearAsleep("ana", one.url);
    const witness = await appearAsleep("ben", two.url);
    const other = await appear("cleo", {}, { url: two.url, name });
    const cleo = { user: { id: "cleo", name: "Cleo" } };
    await sees(witness, { [sleeper.doc.clientID]: ana, [other.doc.clientID]: cleo });
    const removals = removalsSeenBy(witness);
    for (let minute = 0; minute < 3; minute++) await renewed(one, sleeper.doc.clientID, witness);
    expect(removals).toEqual([]);

    // Were its instance gone, nobody else would keep her.
    age(two, sleeper.doc.clientID, 25_000);
    const { clock } = awarenessAt(two).meta.get(sleeper.doc.clientID) ?? { clock: 0 };
    await renewed(two, witness.doc.clientID, other);
    expect(awarenessAt(two).meta.get(sleeper.doc.clientID)?.clock).toBe(clock);
  });
});
