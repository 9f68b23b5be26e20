/** One instance that Redis, or the way to it, has left alone, while the other one is well. */
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../support/client.ts";
import { acquainted, clusterEnv, redisState } from "../support/instances.ts";
import { appear, seenBy, sees, tokenOf } from "../support/presence.ts";
import { describeWithRedis } from "../support/redis.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** Promised are 5 s; the rest is for a busy machine. */
const CONVERGENCE = { timeoutMs: 8000 };

const partitions: Readonly<Record<string, (network: TcpProxy) => void>> = {
  "cut off": (network) => network.cut(),
  "heard by nobody": (network) => network.hold("toServer"),
  deaf: (network) => network.hold("toClient"),
  "in a black hole": (network) => network.hold("toServer", "toClient"),
};

describeWithRedis("partitions", (redis) => {
  const room = (server: ServerProcess) => ({ url: server.url, name: "room" });

  /** Two instances, and the network between the first one and Redis. */
  async function start(more: NodeJS.ProcessEnv = {}) {
    const network = await TcpProxy.to(redis.port);
    onTestFinished(() => network.close());
    const env = { ...clusterEnv(redis, tempDatabase().url), ROOM_IDLE_SECONDS: "0", ...more };
    const one = await startProcess({ ...env, REDIS_URL: `redis://127.0.0.1:${network.port}` });
    const two = await startProcess(env);
    await acquainted(one, two);
    const ana = await appear("ana", {}, room(one));
    const ben = await appear("ben", {}, room(two));
    ana.text.insert(0, "delete me");
    await until("shared", () => ben.content === "delete me");
    await sees(ben, { [ana.doc.clientID]: { user: { id: "ana", name: "Ana" } } });
    return { network, one, two, ana, ben };
  }

  test.for(Object.keys(partitions))(
    "[I4] [I6] [I9] an instance that is %s finds out within seconds, and has the same room and people again within 5 s of the end of it",
    async (how) => {
      const { network, one, two, ana, ben } = await start();
      partitions[how]?.(network);
      // A deletion alone, which shows in no state vector.
      ana.text.delete(0, 9);
      await ana.saved();
      await redisState(one, "down");
      await sees(ben, {});
      expect(two.events("redis").map((line) => line["redis"])).toEqual(["up"]);
      ben.text.insert(0, "b");
      await Promise.all([ana.saved(), ben.saved()]);
      expect(ana.content).toBe("");

      network.heal();
      await until(
        "people",
        () => seenBy(ana)[ben.doc.clientID] && seenBy(ben)[ana.doc.clientID],
        CONVERGENCE,
      );
      await until(
        "the same at both",
        () => ana.content === ben.content && !ana.content.includes("delete"),
        CONVERGENCE,
      );
      expect(ana.content).toBe("b");
      expect([ana.closes, ben.closes]).toEqual([[], []]);
    },
  );

  test("[I4] what was saved by an instance that was cut off, in a room that it has not any more, reaches those who have the room", async () => {
    const { network, one, ana, ben } = await start();
    network.cut();
    await redisState(one, "down");
    ana.text.delete(0, 6);
    ana.text.insert(3, "!");
    await ana.saved();
    ana.leave();
    await until("closed", () => one.events("room-unloaded").length > 0);
    expect(ben.content).toBe("delete me");
    network.heal();
    await until("what was saved meanwhile", () => ben.content === " me!", CONVERGENCE);
  });

  test("[I4] nor is it missed where that instance has ended, and Redis was away for all", async () => {
    const { one, two, ana, ben } = await start();
    await redis.stop();
    await Promise.all([redisState(one, "down"), redisState(two, "down")]);
    ana.text.delete(0, 6);
    ana.text.insert(3, "!");
    await ana.saved();
    ana.leave();
    expect((await one.ended("SIGTERM")).code).toBe(0);
    expect(ben.content).toBe("delete me");
    await redis.start();
    await until("what was saved meanwhile", () => ben.content === " me!", CONVERGENCE);
  });

  const departures: Readonly<Record<string, { readonly keeper?: string; readonly idleSeconds: string }>> = {
    "and somebody else is there": { keeper: "cleo", idleSeconds: "0" },
    "whose room is empty now": { idleSeconds: "60" },
    "whose room is closed": { idleSeconds: "0" },
  };

  test.for(Object.keys(departures))(
    "[I2] [I9] who leaves an instance %s, while another one cannot hear of it, is gone there when that one is back",
    async (how) => {
      const { keeper, idleSeconds } = departures[how] ?? {};
      const { network, one, two, ana, ben } = await start({ ROOM_IDLE_SECONDS: idleSeconds });
      network.cut();
      await redisState(one, "down");
      const others = keeper ? [await appear(keeper, {}, room(two))] : [];
      ben.leave();
      await until("left", () => two.events("connection-left").length > 0);
      if (idleSeconds === "0" && !keeper) await until("closed", () => two.events("room-unloaded").length > 0);
      network.heal();
      await until(
        "who is there, and nobody else",
        () => Object.keys(seenBy(ana)).join() === others.map(({ doc }) => doc.clientID).join(),
        CONVERGENCE,
      );
    },
  );

  test("[I2] [I9] who leaves an instance that cannot say so, and has closed the room when it can, is gone for the others then", async () => {
    const { network, one, two, ana, ben } = await start();
    network.cut();
    await redisState(one, "down");
    ana.leave();
    await until("closed", () => one.events("room-unloaded").length > 0);
    network.heal();
    await redisState(one, "up", { seen: 2 });
    await sees(ben, {});
    expect(two.events("instance").map(({ is }) => is)).toEqual(["there"]);
  });

  test.for(["toServer", "toClient"] as const)(
    "[I1] [I9] a slow way to Redis (%s) puts nobody out, loses nothing, and makes nobody seem gone",
    async (direction) => {
      const { network, one, two, ana, ben } = await start();
      network.delay(direction, 600);
      for (const text of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
        const [author, reader] = text < "e" ? [ana, ben] : [ben, ana];
        author.text.insert(author.content.length, text);
        await until(`${text} shared`, () => reader.content === author.content);
      }
      for (const server of [one, two]) {
        expect(server.events("redis").map((line) => line["redis"])).toEqual(["up"]);
        expect(server.events("instance").map(({ is }) => is)).toEqual(["there"]);
      }
      // Who comes in meanwhile has everything.
      const cleo = await connect({ ...room(one), token: tokenOf("cleo") }).synced();
      expect(cleo.content).toBe("delete meabcdefgh");
    },
  );
});
