/** What an ack depends on that came from another instance, which ends, and so does this one, before it has saved it. */
import { execFileSync } from "node:child_process";
import { Document, MessageType } from "@hocuspocus/server";
import { expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import { newInstanceId, seal, unseal } from "../../fanout/envelope.ts";
import { editOf, stateBeyond } from "../../fanout/room-words.ts";
import { KeptUpdates } from "../../fanout/kept-updates.ts";
import { peerOrigin } from "../../fanout/peer-origin.ts";
import { openStore } from "../../storage/open-store.ts";
import { mergeState } from "../../storage/merge-state.ts";
import { connect } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { clusterEnv, heartbeats, startCluster } from "../support/instances.ts";
import { metricsOf } from "../support/metrics.ts";
import { tokenOf } from "../support/presence.ts";
import { RawClient } from "../support/raw-client.ts";
import { describeWithRedis } from "../support/redis.ts";
import { adminToken } from "../support/room-api.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { storedText } from "../support/stored-room.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { copyOf, typed } from "../support/updates.ts";
import { until } from "../support/until.ts";

type Edit = (tasks: Y.Map<unknown>) => void;

async function storedTasks(url: string): Promise<unknown> {
  const store = openStore({ databaseUrl: url });
  const doc = new Y.Doc();
  Y.applyUpdate(doc, mergeState(await store.load("room")));
  await store.close();
  return doc.getMap("tasks").toJSON();
}

describeWithRedis("dependencies of acks", (redis) => {
  const room = (server: Pick<ServerProcess, "url">, user: string) => ({
    url: server.url,
    name: "room",
    token: tokenOf(user),
  });

  /** Every write of this process to a file fails from now on. */
  const fillDiskOf = ({ pid }: ServerProcess): unknown =>
    execFileSync("prlimit", ["--pid", `${pid}`, "--fsize=1:"]);

  test.for<readonly [what: string, before: Edit, hers: Edit, his: Edit, expected: unknown]>([
    [
      "loses against a value that",
      () => {},
      (tasks) => tasks.set("key", "hers"),
      (tasks) => tasks.set("key", "his"),
      { key: "hers" },
    ],
    [
      "stands in what a deletion took away that",
      (tasks) => tasks.set("task", new Y.Map([["title", "old"]])),
      (tasks) => tasks.delete("task"),
      (tasks) => (tasks.get("task") as Y.Map<unknown>).set("owner", "ben"),
      {},
    ],
  ])("[S1] [I5] an edit that %s another instance cannot commit is saved with it", async ([, ...edits]) => {
    const [before, hers, his, expected] = edits;
    const { servers, databaseUrl } = await startCluster(redis);
    const [one, two] = servers;
    const document = new Y.Doc();
    // The larger client id wins.
    document.clientID = 2;
    const ana = await connect({ ...room(one, "ana"), document }).synced();
    before(ana.tasks);
    await ana.saved();
    const cleo = await connect(room(two, "cleo")).synced();
    fillDiskOf(one);
    // Made before hers was seen.
    const copy = copyOf(ana.doc);
    copy.clientID = 1;
    const bens: Uint8Array[] = [];
    copy.on("update", (update: Uint8Array) => bens.push(update));
    his(copy.getMap("tasks"));
    const ben = await new RawClient(two.url).opened();
    ben.login("room", { token: tokenOf("ben") });
    ben.firstSync("room");
    await ben.received("room", MessageType.Sync);
    let isShared = false;
    cleo.tasks.observe(() => (isShared = true));
    hers(ana.tasks);
    await until("shared", () => isShared);
    for (const edit of bens) ben.update("room", edit);
    await until("saved", () => ben.acksTo("room") > 0);
    await Promise.all([one.ended("SIGKILL"), two.ended("SIGKILL")]);
    expect(await storedTasks(databaseUrl)).toEqual(expected);
  });

  test("[S1] [I5] so is one that builds on what this server has made of it", async () => {
    const { url } = tempDatabase();
    const env = clusterEnv(redis, url);
    const one = await startProcess(env);
    const two = await startComposition(env);
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    fillDiskOf(one);
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    two.rooms.documents.get("room")?.getText("text").insert(1, "e");
    await until("seen", () => ben.content === "ae");
    ben.text.insert(2, "b");
    await ben.saved();
    expect(await storedText(url, "room")).toBe("aeb");
  });

  test("[S1] [I5] so is one that builds on what has waited for something that was in the store alone", async () => {
    const { url } = tempDatabase();
    const server = await startProcess(clusterEnv(redis, url));
    const ben = await connect(room(server, "ben")).synced();
    const [first, second] = typed("xy") as [Uint8Array, Uint8Array];
    // Of an instance that was not heard when it wrote the first one, and has committed only that.
    const store = openStore({ databaseUrl: url });
    await store.append([{ room: "room", update: first, at: Date.now(), author: "ana" }]);
    await store.close();
    const message = editOf("room", second, { appended: 2, committed: 1 });
    await redis.client.publish("righttask:room", seal({ from: newInstanceId(), message }));
    await until("all there", () => ben.content === "xy");
    ben.text.insert(2, "b");
    await ben.saved();
    await server.ended("SIGKILL");
    expect(await storedText(url, "room")).toBe("xyb");
  });

  test(
    "[S1] [I5] so is one that builds on what has waited for an answer of an instance that did not have it",
    { timeout: 60_000 },
    async () => {
      const { url } = tempDatabase();
      const server = await startProcess(clusterEnv(redis, url));
      const ben = await connect(room(server, "ben")).synced();
      const [first, second] = typed("xy") as [Uint8Array, Uint8Array];
      // One has written both, and ends before it has committed the second; another has the first and goes on.
      const [ending, other] = [newInstanceId(), newInstanceId()];
      const hasFirst = new Document("room");
      Y.applyUpdate(hasFirst, first);
      const listener = redis.client.duplicate();
      onTestFinished(() => listener.disconnect());
      listener.on("messageBuffer", (channel: Buffer, payload: Buffer) => {
        const { from } = unseal(payload);
        if (from === ending || from === other) return;
        const heartbeat = Buffer.from(JSON.stringify({ saves: true, committed: 1, leaves: false }));
        const [to, message] = channel.toString().endsWith("#instances")
          ? [channel, heartbeat]
          : [`righttask#reply:${from}`, stateBeyond(hasFirst, Uint8Array.of(0), { isOpen: true })];
        void redis.client.publish(to, seal({ from: other, message }));
      });
      await listener.subscribe("righttask:room", "righttask#instances");
      const message = editOf("room", second, { appended: 2, committed: 1 });
      await redis.client.publish("righttask:room", seal({ from: ending, message }));
      await until("all there", () => ben.content === "xy");
      const store = openStore({ databaseUrl: url });
      await store.append([{ room: "room", update: first, at: Date.now(), author: "ana" }]);
      await store.close();
      // Of both of them, for twelve seconds.
      await heartbeats(redis, 24);
      expect(server.events("instance").map(({ is }) => is)).toEqual(["there", "there", "silent"]);
      ben.text.insert(2, "b");
      await ben.saved();
      await server.ended("SIGKILL");
      expect(await storedText(url, "room")).toBe("xyb");
    },
  );

  test("[I5] what an instance itself has made the others let go like what its clients have made", async () => {
    const env = { ...clusterEnv(redis, tempDatabase().url), ADMIN_TOKEN: adminToken };
    const one = await startComposition(env);
    const two = await startProcess(env);
    await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    one.rooms.documents.get("room")?.getText("text").insert(0, "extension");
    await until("shared", () => ben.content === "extension");
    // Kept for ten seconds otherwise.
    const kept = async (): Promise<unknown> => (await metricsOf(two.url)).get("righttask_redis_kept_bytes");
    await until("let go", async () => (await kept()) === 0, { timeoutMs: 5000 });
  });
});

test("[I7] nothing is remembered of what an instance has committed that is dead and speaks", () => {
  let saves = false;
  const kept = new KeptUpdates({ saves: () => saves, append: () => {} });
  kept.committed("dead", 1);
  saves = true;
  const [update] = typed("a") as [Uint8Array];
  expect([kept.keeps("room", update, peerOrigin("dead", { number: 1 })), kept.bytes]).toEqual([
    true,
    update.byteLength,
  ]);
});
