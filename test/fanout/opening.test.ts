/** What a room has when it is opened at one instance, and others have it, are closing it, or are opening it as well. */
import { Document, type Extension } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { describe, expect, onTestFinished, test } from "vitest";
import { newInstanceId, seal, unseal } from "../../fanout/envelope.ts";
import { stateBeyond } from "../../fanout/room-words.ts";
import { connect, type Client } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { startCluster } from "../support/instances.ts";
import { lockStore } from "../support/locked-store.ts";
import { tokenOf } from "../support/presence.ts";
import { describeWithRedis } from "../support/redis.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";

describeWithRedis("rooms that are opened", (redis) => {
  const room = (server: Pick<ServerProcess, "url">, user: string) => ({
    url: server.url,
    name: "room",
    token: tokenOf(user),
  });

  test("[I3] a room that is open elsewhere opens with what was written there last", async () => {
    const { servers, path } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    // Not in the store.
    lockStore(path);
    ana.text.insert(0, "newest");
    const ben = await connect(room(two, "ben")).synced();
    expect(ben.content).toBe("newest");
  });

  test("[I3] so does a large room, which is answered from the store", async () => {
    const { servers, path } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    ana.text.insert(0, "x".repeat(600_000));
    await ana.saved();
    const ben = await connect(room(two, "ben")).synced();
    lockStore(path);
    ana.text.insert(0, "newest");
    await until("shared", () => ben.content.startsWith("newest"));
    const cleo = await connect(room(two, "cleo")).synced();
    expect(cleo.content).toBe(ben.content);
  });

  test("[I3] [S16] a room that an edit from elsewhere breaks while it is loaded is loaded again", async () => {
    const { servers, path, env } = await startCluster(redis);
    const [one] = servers;
    const ana = await connect(room(one, "ana")).synced();
    // Not in the store: it comes once that has been read.
    lockStore(path);
    ana.text.insert(0, "newest");
    let isBroken = false;
    const fragile: Extension = {
      async onLoadDocument({ document }) {
        if (isBroken) return;
        document.once("beforeTransaction", () => {
          isBroken = true;
          throw new RangeError("Maximum call stack size exceeded");
        });
      },
    };
    const third = await startComposition(env, [fragile]);
    const ben = connect({ url: third.url, name: "room", token: tokenOf("ben") });
    expect(await ben.closedWith(4504)).toMatchObject({ reason: "room-reloaded" });
    expect((await ben.synced()).content).toBe("newest");
    expect(third.rooms.documents.get("room")?.isDestroyed).toBe(false);
  });

  describe("a room is written elsewhere and closed there, all while it is loaded here", () => {
    async function loading() {
      const cluster = await startCluster(redis, { ROOM_IDLE_SECONDS: "0" });
      const [one] = cluster.servers;
      const isRead = Promise.withResolvers<void>();
      const mayGoOn = Promise.withResolvers<void>();
      // Behind persistence and before the others are asked.
      const slow = {
        priority: 4500,
        async onLoadDocument() {
          isRead.resolve();
          await mayGoOn.promise;
        },
      };
      const third = await startComposition(cluster.env, [slow]);
      const ana = await connect(room(one, "ana")).synced();
      ana.text.insert(0, "xa");
      await ana.saved();
      const startLoad = async (): Promise<Client> => {
        const ben = connect({ url: third.url, name: "room", token: tokenOf("ben") });
        await isRead.promise;
        return ben;
      };
      const unloaded = (times: number): Promise<unknown> =>
        until("unloaded", () => one.events("room-unloaded").length === times);
      return { ...cluster, one, ana, startLoad, unloaded, goOn: mayGoOn.resolve };
    }

    test("[I3] what was written before, and committed only then, is not missed", async () => {
      const { path, one, ana, startLoad, unloaded, goOn } = await loading();
      const release = lockStore(path);
      // One of them shows in no state vector.
      ana.text.delete(0, 1);
      ana.text.insert(1, "b");
      ana.leave();
      await one.logged("left", ({ event }) => event === "connection-left");
      const ben = await startLoad();
      release();
      await unloaded(1);
      goOn();
      expect((await ben.synced()).content).toBe("ab");
    });

    test("[I3] nor what was written by somebody who came only then", async () => {
      const { one, ana, startLoad, unloaded, goOn } = await loading();
      ana.leave();
      await unloaded(1);
      const ben = await startLoad();
      const again = await connect(room(one, "ana")).synced();
      again.text.delete(0, 1);
      again.text.insert(1, "b");
      await again.saved();
      again.leave();
      await unloaded(2);
      goOn();
      expect((await ben.synced()).content).toBe("ab");
    });

    /** Written by Ana and saved after it was read here, and closed there. */
    async function overtaken() {
      const { one, ana, startLoad, unloaded, goOn } = await loading();
      const ben = await startLoad();
      // Shows in no state vector.
      ana.text.delete(0, 1);
      await ana.saved();
      ana.leave();
      await unloaded(1);
      return { one, ben, goOn };
    }

    test("[I3] nor where somebody listens in its place, and does not answer", async () => {
      const { ben, goOn } = await overtaken();
      const listener = redis.client.duplicate();
      await listener.subscribe("righttask:room");
      onTestFinished(() => listener.disconnect());
      goOn();
      expect((await ben.synced()).content).toBe("a");
    });

    test("[I3] nor where another instance is about to open it at the same moment", async () => {
      const { ben, goOn } = await overtaken();
      const listener = redis.client.duplicate();
      const from = newInstanceId();
      listener.on("messageBuffer", (_channel: Buffer, payload: Buffer) => {
        const decoder = decoding.createDecoder(unseal(payload).message);
        decoding.readVarString(decoder);
        const isQuestion = decoding.readVarUint(decoder) === 0 && decoding.readVarUint(decoder) === 0;
        if (!isQuestion) return;
        const message = stateBeyond(new Document("room"), decoding.readVarUint8Array(decoder), {
          isOpen: false,
        });
        void redis.client.publish(`righttask#reply:${unseal(payload).from}`, seal({ from, message }));
      });
      await listener.subscribe("righttask:room");
      onTestFinished(() => listener.disconnect());
      goOn();
      expect((await ben.synced()).content).toBe("a");
    });
  });

  test("[I3] [S4] a room of which something is not saved yet that came from an instance that has died is kept for who opens it elsewhere", async () => {
    const { servers, path, env } = await startCluster(redis, { ROOM_IDLE_SECONDS: "0" });
    const [one, two] = servers;
    const third = await startProcess(env);
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    const release = lockStore(path);
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    ana.leave();
    await one.ended("SIGKILL");
    ben.leave();
    await two.logged("left", ({ event }) => event === "connection-left");
    expect((await connect(room(third, "cleo")).synced()).content).toBe("a");
    release();
    await two.logged("unloaded", ({ event }) => event === "room-unloaded");
  });

  test("[I3] an instance that does not answer keeps no room from being opened", async () => {
    const { servers } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    ana.text.insert(0, "saved");
    await ana.saved();
    await one.freeze();
    const startedAt = performance.now();
    const ben = await connect(room(two, "ben")).synced();
    expect(ben.content).toBe("saved");
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });
});
