/** Redis in every state but well: rooms go on at each instance, and are the same again within seconds of its return. */
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { acquainted, clusterEnv, redisState, startCluster } from "../support/instances.ts";
import { appear, seenBy, sees, tokenOf } from "../support/presence.ts";
import { describeWithRedis, type TestRedis } from "../support/redis.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

interface Readiness {
  readonly status: number;
  readonly redis: string;
}

async function readiness({ url }: ServerProcess): Promise<Readiness> {
  const response = await fetch(`${url}/readyz`);
  const { parts } = (await response.json()) as { readonly parts: { readonly redis: string } };
  return { status: response.status, redis: parts.redis };
}

/** Ids of the connections that servers have. */
async function connectionsTo({ client }: TestRedis): Promise<string[]> {
  const list = (await client.client("LIST")) as string;
  return list
    .split("\n")
    .filter((line) => line.includes("name=righttask-collab"))
    .flatMap((line) => /^id=(\d+)/.exec(line)?.[1] ?? []);
}

const CONVERGENCE = { timeoutMs: 5000 };

describeWithRedis("trouble with Redis", (redis) => {
  const room = (server: ServerProcess, user: string, name = "room") => ({
    url: server.url,
    name,
    token: tokenOf(user),
  });

  test("[I6] without Redis at the start an instance works by itself, says so, and finds the others once it is there", async () => {
    await redis.stop();
    const env = clusterEnv(redis, tempDatabase().url);
    const servers = [await startProcess(env), await startProcess(env)] as const;
    const [one, two] = servers;
    expect(await readiness(one)).toEqual({
      status: 200,
      redis: expect.stringMatching(/^degraded: .*ECONNREFUSED/),
    });
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    ana.text.insert(0, "a");
    ben.text.insert(0, "b");
    await Promise.all([ana.saved(), ben.saved()]);
    await redis.start();
    await until(
      "the same at both",
      () => ana.content.length === 2 && ana.content === ben.content,
      CONVERGENCE,
    );
    expect(await readiness(one)).toEqual({ status: 200, redis: "ok" });
    await acquainted(...servers);
    // One line for each change, however many attempts there were.
    expect(one.events("redis").map((line) => line["redis"])).toEqual(["down", "up"]);
    for (const { msg } of one.events("redis")) expect(msg).toMatch(/^📡/);
  });

  test.for(["stopped and restarted empty", "frozen"] as const)(
    "[I4] [I6] while Redis is %s rooms open, save and unload, and all edits and people are everywhere within 5 s of its return",
    async (how) => {
      const { servers } = await startCluster(redis, { ROOM_IDLE_SECONDS: "0" });
      const [one, two] = servers;
      const ana = await appear("ana", {}, room(one, "ana"));
      const ben = await appear("ben", {}, room(two, "ben"));
      ana.text.insert(0, "delete me");
      await until("shared", () => ben.content === "delete me");
      if (how === "frozen") redis.freeze();
      else await redis.stop();

      // At once, before anybody has found out, and afterwards.
      ana.text.insert(0, "a");
      await ana.saved();
      await Promise.all(servers.map((server) => redisState(server, "down")));
      expect(await readiness(two)).toMatchObject({ status: 200, redis: expect.stringMatching(/^degraded/) });
      // A deletion alone, which shows in no state vector.
      ana.text.delete(1, 9);
      ben.text.insert(ben.content.length, "b");
      const alone = await connect(room(two, "cleo", "other")).synced();
      alone.text.insert(0, "alone");
      await Promise.all([ana.saved(), ben.saved(), alone.saved()]);
      alone.leave();
      await two.logged("unloaded", ({ event, room: name }) => event === "room-unloaded" && name === "other");

      if (how === "frozen") redis.thaw();
      else await redis.start();
      await until("the same at both", () => ana.content === "ab" && ben.content === "ab", CONVERGENCE);
      await until(
        "people everywhere",
        () => seenBy(ana)[ben.doc.clientID] && seenBy(ben)[ana.doc.clientID],
        CONVERGENCE,
      );
      for (const server of servers)
        expect(server.events("redis").map((line) => line["redis"])).toEqual(["up", "down", "up"]);
      expect(ana.closes).toEqual([]);
      expect(ben.closes).toEqual([]);
    },
  );

  test("[I4] what could not be published is everywhere once its instance is connected again, also that something or somebody is gone", async () => {
    const env = clusterEnv(redis, tempDatabase().url);
    const one = await startProcess(env);
    const ids = await connectionsTo(redis);
    const two = await startProcess(env);
    const ana = await appear("ana", {}, room(one, "ana"));
    const cleo = await appear("cleo", {}, room(one, "cleo"));
    const ben = await connect(room(two, "ben")).synced();
    ana.text.insert(0, "delete me");
    await until("shared", () => ben.content === "delete me" && Object.keys(seenBy(ben)).length === 2);
    for (const id of ids) await redis.client.client("KILL", "ID", id);
    await redisState(one, "down");
    // Shows in no state vector: by that, nothing is missing anywhere.
    ana.text.delete(0, 9);
    ana.provider.awareness?.setLocalState({ moved: true });
    cleo.leave();
    await until("deleted", () => ben.content === "", CONVERGENCE);
    const people = { [ana.doc.clientID]: { moved: true, user: { id: "ana", name: "Ana" } } };
    await sees(ben, people);
    expect(two.events("redis")).toHaveLength(1);
  });

  test.for(["stopped", "frozen"] as const)(
    "[I6] SIGTERM ends an instance in time while Redis is %s",
    async (how) => {
      const { servers, env } = await startCluster(redis);
      const [one] = servers;
      const ana = await connect(room(one, "ana")).synced();
      if (how === "frozen") redis.freeze();
      else await redis.stop();
      ana.text.insert(0, "last words");
      await ana.saved();
      ana.leave();
      const { code, ms } = await one.ended("SIGTERM");
      expect(code).toBe(0);
      expect(ms).toBeLessThan(4000);
      // Nor does it hold up a start.
      const third = await startProcess(env);
      expect((await connect(room(third, "ben")).synced()).content).toBe("last words");
    },
  );

  test("[I7] what nobody could have published in good faith harms nobody, and is one line in the log", async () => {
    const { servers } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    const { client } = redis;
    const envelope = (from: string, ...bytes: readonly number[]): Buffer =>
      Buffer.concat([Uint8Array.of(from.length), Buffer.from(from), Uint8Array.from(bytes)]);
    const name = [4, ...Buffer.from("room")];
    // A run of 2^40 elements under the id of somebody who is there: her own edits would count as known, or her document take another id.
    const { clientID } = ana.doc;
    const poison = encoding.encode((encoder) => {
      for (const value of [1, 1, clientID, 0]) encoding.writeVarUint(encoder, value);
      encoding.writeUint8(encoder, 0);
      for (const value of [2 ** 40, 0]) encoding.writeVarUint(encoder, value);
    });
    const broken = [
      Buffer.from("zzzzzz"),
      Buffer.alloc(0),
      Buffer.of(0),
      Buffer.of(255),
      envelope("stock"),
      envelope("stock", ...name),
      envelope("stock", ...name, 99),
      envelope("stock", ...name, 0),
      envelope("stock", ...name, 0, 0, 3, 9),
      envelope("stock", ...name, 0, 2, 4, 1, 1, 7, 0),
      // An update that is cut off, and one that claims what there is not.
      envelope("righttask-x", ...name, 0, 2, 5, 255, 255, 255, 255, 15),
      envelope("righttask-x", ...name, 0, 1, 2, 1, 1),
      envelope("righttask-x", ...name, 1, 3, 200, 1, 1),
      envelope("stock", ...name, 0, 2, poison.byteLength, ...poison),
      envelope("stock", 7, ...Buffer.from("nowhere"), 0, 2, 2, 0, 0),
      envelope("stock", 11, ...Buffer.from("constructor"), 0, 2, 2, 0, 0),
    ];
    for (const channel of ["righttask:room", "righttask#instances", "righttask#orders"])
      for (const payload of broken) await client.publish(channel, payload);
    await client.publish("righttask:nowhere", broken[0] ?? "");
    ana.text.insert(0, "still here");
    await until("shared", () => ben.content === "still here");
    await ana.saved();
    expect(ana.doc.clientID).toBe(clientID);
    for (const server of servers) expect(server.events("redis-message-refused")).toHaveLength(1);
    expect([ana.closes, ben.closes]).toEqual([[], []]);
  });
});
