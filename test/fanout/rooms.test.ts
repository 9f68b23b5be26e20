/** Rooms that are open at two instances. */
import { setImmediate as nextTurn } from "node:timers/promises";
import * as decoding from "lib0/decoding";
import { expect, onTestFinished, test } from "vitest";
import { messageYjsUpdate } from "y-protocols/sync";
import { unseal } from "../../fanout/envelope.ts";
import { connect } from "../support/client.ts";
import { startComposition } from "../support/composition.ts";
import { clusterEnv, startCluster } from "../support/instances.ts";
import { appear, sees, tokenOf } from "../support/presence.ts";
import { describeWithRedis, type TestRedis } from "../support/redis.ts";
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
});
