/** What is saved where, when rooms are open at two instances, and what is left when one of them ends. */
import { execFileSync } from "node:child_process";
import { MessageType } from "@hocuspocus/server";
import { expect, test } from "vitest";
import { newInstanceId, seal } from "../../fanout/envelope.ts";
import { editOf } from "../../fanout/room-words.ts";
import type { JournalProgress } from "../../storage/journal.ts";
import { inDatabase } from "../faults/damage.ts";
import { connect } from "../support/client.ts";
import { clusterEnv, heartbeats, startCluster } from "../support/instances.ts";
import { lockStore } from "../support/locked-store.ts";
import { metricsOf } from "../support/metrics.ts";
import { tokenOf } from "../support/presence.ts";
import { RawClient } from "../support/raw-client.ts";
import { describeWithRedis } from "../support/redis.ts";
import { startProcess, type ServerProcess } from "../support/server-process.ts";
import { adminToken } from "../support/room-api.ts";
import { storedText } from "../support/stored-room.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { copyOf, typed } from "../support/updates.ts";
import { until } from "../support/until.ts";

describeWithRedis("durability across instances", (redis) => {
  const room = (server: Pick<ServerProcess, "url">, user: string) => ({
    url: server.url,
    name: "room",
    token: tokenOf(user),
  });

  /** Ana has written at the first instance, which cannot commit; Ben has it at the second. */
  async function uncommitted(env: Readonly<Record<string, string>> = {}) {
    const cluster = await startCluster(redis, env);
    const [one, two] = cluster.servers;
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    const release = lockStore(cluster.path);
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    return { ...cluster, one, two, ana, ben, release };
  }

  const keptBy = async ({ url }: ServerProcess): Promise<number> =>
    (await metricsOf(url)).get("righttask_redis_kept_bytes") ?? NaN;

  /** Of each author. */
  const rowsOf = (path: string): unknown =>
    inDatabase(path, (db) =>
      db.prepare("SELECT author, count(*) FROM journal GROUP BY author ORDER BY author").raw().all(),
    );

  const stored = (url: string, expected: string, timeoutMs = 10_000): Promise<unknown> =>
    until(`${expected} stored`, async () => (await storedText(url, "room")) === expected, { timeoutMs });

  test("[I5] an edit is journaled by the instance that it was made at, and by no other", async () => {
    const { servers, path } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    for (let i = 0; i < 10; i++) ana.text.insert(i, "a");
    await until("shared", () => ben.content.length === 10);
    // Neither needs what is not known to be saved.
    ben.doc.getText("of ben").insert(0, "b");
    ben.text.delete(1, 1);
    await Promise.all([ana.saved(), ben.saved()]);
    expect(rowsOf(path)).toEqual([
      ["ana", 10],
      ["ben", 2],
    ]);
  });

  test("[I5] what others built on is not lost with an instance that ends before it has committed it", async () => {
    const { one, two, ana, ben, release, databaseUrl } = await uncommitted();
    ben.text.insert(1, "b");
    // Nobody brings it again.
    ana.leave();
    await one.ended("SIGKILL");
    release();
    await ben.saved();
    await stored(databaseUrl, "ab");
    await two.ended("SIGKILL");
    expect(await storedText(databaseUrl, "room")).toBe("ab");
  });

  test("[S1] [I5] an edit that builds on one that another instance cannot commit is saved with it, and only then its author is told", async () => {
    const { servers, databaseUrl } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    execFileSync("prlimit", ["--pid", `${one.pid}`, "--fsize=1:"]);
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    ben.text.insert(1, "b");
    await ben.saved();
    await Promise.all([one.ended("SIGKILL"), two.ended("SIGKILL")]);
    expect(await storedText(databaseUrl, "room")).toBe("ab");
  });

  /** Ana is at the first instance, which cannot commit from now on; Cleo sees at the second what she does. */
  async function whereOneCannotCommit(text: string) {
    const cluster = await startCluster(redis);
    const [one, two] = cluster.servers;
    const ana = await connect(room(one, "ana")).synced();
    ana.text.insert(0, text);
    await ana.saved();
    const cleo = await connect(room(two, "cleo")).synced();
    execFileSync("prlimit", ["--pid", `${one.pid}`, "--fsize=1:"]);
    return { ...cluster, one, two, ana, cleo };
  }

  test("[S1] [I5] nor is an ack without a deletion that another instance cannot commit, where an edit repeats it", async () => {
    const { one, two, ana, cleo, databaseUrl } = await whereOneCannotCommit("xy");
    const ben = await new RawClient(two.url).opened();
    ben.login("room", { token: tokenOf("ben") });
    ben.firstSync("room");
    await ben.received("room", MessageType.Sync);
    // Made before hers was seen.
    const copy = copyOf(ana.doc);
    const edits: Uint8Array[] = [];
    copy.on("update", (update) => edits.push(update));
    copy.transact(() => {
      copy.getText("text").delete(0, 1);
      copy.getText("of ben").insert(0, "b");
    });
    ana.text.delete(0, 1);
    await until("shared", () => cleo.content === "y");
    for (const edit of edits) ben.update("room", edit);
    await until("saved", () => ben.acksTo("room") > 0);
    await Promise.all([one.ended("SIGKILL"), two.ended("SIGKILL")]);
    expect(await storedText(databaseUrl, "room")).toBe("y");
  });

  test("[S1] [I5] a deletion that is saved holds when what it deletes, and another instance could not commit, comes later", async () => {
    const { one, two, ana, cleo, env } = await whereOneCannotCommit("");
    ana.text.insert(0, "x");
    await until("shared", () => cleo.content === "x");
    const before = copyOf(ana.doc);
    cleo.text.delete(0, 1);
    await cleo.saved();
    for (const client of [ana, cleo]) client.leave();
    await Promise.all([one.ended("SIGKILL"), two.ended("SIGKILL")]);
    const third = await startProcess({ ...env, ROOM_IDLE_SECONDS: "0" });
    // With a merge in between.
    const reader = await connect(room(third, "ben")).synced();
    reader.leave();
    await third.logged("unloaded", ({ event }) => event === "room-unloaded");
    const again = await connect({ ...room(third, "ana"), document: before }).saved();
    expect([again.content, (await connect(room(third, "ben")).synced()).content]).toEqual(["", ""]);
  });

  test("[I5] what an instance has said to be committed nobody else journals, whatever is built on it", async () => {
    const { one, two, ana, ben, release, path } = await uncommitted({ ADMIN_TOKEN: adminToken });
    expect(await keptBy(two)).toBeGreaterThan(0);
    release();
    await until("committed", async () => (await keptBy(two)) === 0);
    ben.text.insert(1, "b");
    await ben.saved();
    await until("seen and committed", async () => ana.content === "ab" && (await keptBy(one)) === 0);
    ana.text.insert(2, "c");
    await ana.saved();
    expect(rowsOf(path)).toEqual([
      ["ana", 2],
      ["ben", 1],
    ]);
  });

  test("[I5] of what an instance has written, what it has not committed is kept, whatever it has committed before", async () => {
    const { servers, path, databaseUrl } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    ana.text.insert(0, "a");
    await ana.saved();
    const release = lockStore(path);
    // The second tells what was committed before the first.
    ana.text.insert(1, "b");
    ana.text.insert(2, "c");
    await until("shared", () => ben.content === "abc");
    ana.leave();
    await one.ended("SIGKILL");
    ben.text.insert(3, "d");
    release();
    await ben.saved();
    await two.ended("SIGKILL");
    expect(await storedText(databaseUrl, "room")).toBe("abcd");
  });

  test("[I5] what has waited for something that came later is saved here, whatever its instance says to have committed", async () => {
    const { url } = tempDatabase();
    const server = await startProcess(clusterEnv(redis, url));
    const ben = await connect(room(server, "ben")).synced();
    const [first, second, third] = typed("abc") as [Uint8Array, Uint8Array, Uint8Array];
    const from = newInstanceId();
    const publish = async (update: Uint8Array, progress: JournalProgress): Promise<void> => {
      await redis.client.publish("righttask:room", seal({ from, message: editOf("room", update, progress) }));
    };
    await publish(second, { appended: 1, committed: 0 });
    await publish(first, { appended: 2, committed: 0 });
    await publish(third, { appended: 3, committed: 3 });
    await until("all there", () => ben.content === "abc");
    // The third came by itself.
    await stored(url, "ab");
  });

  test("[I5] what nobody has built on is not lost either: it is saved as soon as its instance is known to be dead", async () => {
    const { one, two, ana, release, databaseUrl } = await uncommitted();
    ana.leave();
    await one.ended("SIGKILL");
    release();
    await two.logged("dead", ({ event, is }) => event === "instance" && is === "silent");
    // Sooner than what is old is saved anyway.
    await stored(databaseUrl, "a", 2500);
  });

  test("[I5] what an instance has written that ends together with Redis is saved by the others", async () => {
    const { one, two, ana, release, databaseUrl } = await uncommitted();
    ana.leave();
    await Promise.all([one.ended("SIGKILL"), redis.stop()]);
    release();
    await stored(databaseUrl, "a");
    expect((await two.ended("SIGTERM")).code).toBe(0);
  });

  test("[I5] nor where it is there and cannot commit, and only then its author is told", async () => {
    const { servers, databaseUrl } = await startCluster(redis);
    const [one, two] = servers;
    const ana = await connect(room(one, "ana")).synced();
    const ben = await connect(room(two, "ben")).synced();
    // Every write of this process to a file fails.
    const limitFiles = (bytes: string): unknown =>
      execFileSync("prlimit", ["--pid", `${one.pid}`, `--fsize=${bytes}:`]);
    limitFiles("1");
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    await stored(databaseUrl, "a");
    expect(ana.provider.hasUnsyncedChanges).toBe(true);
    expect(two.events("instance").map(({ is }) => is)).toEqual(["there"]);
    limitFiles("unlimited");
    await ana.saved();
  });

  test("[I5] a room that unloads leaves nothing behind that its origin may not have committed", async () => {
    const { one, two, ben, release, databaseUrl } = await uncommitted({ ROOM_IDLE_SECONDS: "0" });
    // Not dead for the other one yet.
    await one.freeze();
    release();
    ben.leave();
    await two.logged("unloaded", ({ event }) => event === "room-unloaded");
    await stored(databaseUrl, "a", 2500);
  });

  test("[I5] nor does an instance that stops", async () => {
    const { one, two, release, databaseUrl } = await uncommitted();
    await one.freeze();
    release();
    expect((await two.ended("SIGTERM")).code).toBe(0);
    expect(await storedText(databaseUrl, "room")).toBe("a");
  });

  test("[I5] who comes back with an edit that is there already is told that it is saved when it is", async () => {
    const { one, two, ana, release, databaseUrl } = await uncommitted();
    await one.ended("SIGKILL");
    const again = connect({ ...room(two, "ana"), document: ana.doc });
    ana.leave();
    const whenSaved = again.saved().then(() => storedText(databaseUrl, "room"));
    await again.synced();
    await connect(room(two, "cleo")).synced();
    release();
    expect(await whenSaved).toBe("a");
  });

  test(
    "[I5] nor does one that stood still for longer than edits are kept, while their origin ended",
    { timeout: 90_000 },
    async () => {
      const { one, two, ana, ben, env, release, databaseUrl } = await uncommitted();
      await two.freeze();
      ana.leave();
      await one.ended("SIGKILL");
      release();
      // Of one that has nothing to do with it.
      await startProcess(env);
      await heartbeats(redis, 12);
      two.kill("SIGCONT");
      // She builds on it, before anybody has found out.
      ben.text.insert(1, "b");
      await ben.saved();
      await stored(databaseUrl, "ab");
    },
  );
});
