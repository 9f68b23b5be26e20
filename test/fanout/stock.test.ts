/** A stock Hocuspocus with `@hocuspocus/extension-redis` beside this server, on one prefix. */
import { Redis } from "@hocuspocus/extension-redis";
import { OutgoingMessage, Server } from "@hocuspocus/server";
import { expect, onTestFinished, test } from "vitest";
import { seal } from "../../fanout/envelope.ts";
import { connect, type Client } from "../support/client.ts";
import { clusterEnv } from "../support/instances.ts";
import { appear, seenBy, tokenOf } from "../support/presence.ts";
import { describeWithRedis } from "../support/redis.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText } from "../support/stored-room.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

describeWithRedis("a stock instance", (redis) => {
  async function startStock({ prefix = "righttask" } = {}): Promise<Server> {
    const stock = new Server({
      port: 0,
      address: "127.0.0.1",
      quiet: true,
      stopOnSignals: false,
      extensions: [new Redis({ host: "127.0.0.1", port: Number(new URL(redis.url).port), prefix })],
    });
    await stock.listen();
    onTestFinished(() => stock.destroy());
    return stock;
  }

  async function start() {
    const database = tempDatabase();
    const ours = await startProcess(clusterEnv(redis, database.url));
    const stock = await startStock();
    const enterOurs = (user: string): Promise<Client> =>
      connect({ url: ours.url, name: "room", token: tokenOf(user) }).synced();
    const enterStock = (): Promise<Client> => connect({ url: stock.webSocketURL, name: "room" }).synced();
    return { ours, stock, database, enterOurs, enterStock };
  }

  test("[I10] edits, deletions among them, go both ways, and what came from there is in our store", async () => {
    const { enterOurs, enterStock, database, ours } = await start();
    const here = await enterOurs("ana");
    const there = await enterStock();
    here.text.insert(0, "from here");
    await until("there", () => there.content === "from here");
    there.text.insert(0, "from there, ");
    await until("here", () => here.content === "from there, from here");
    there.text.delete(0, 12);
    await until("deleted there", () => here.content === "from here");
    here.text.delete(0, 5);
    await until("deleted here", () => there.content === "here");
    there.text.insert(0, "over ");
    await until("last", () => here.content === "over here");
    await until("stored", async () => (await storedText(database.url, "room")) === "over here");
    await ours.ended("SIGKILL");
    expect(await storedText(database.url, "room")).toBe("over here");
  });

  test.for(["here", "there"] as const)(
    "[I10] who comes into a room that is open %s only finds all of it at the other",
    async (first) => {
      const { enterOurs, enterStock } = await start();
      const early = await (first === "here" ? enterOurs("ana") : enterStock());
      early.text.insert(0, "open");
      await until("applied", () => !early.provider.hasUnsyncedChanges);
      const late = await (first === "here" ? enterStock() : enterOurs("ben"));
      expect(late.content).toBe("open");
    },
  );

  test("[I10] people see each other", async () => {
    const { ours, stock } = await start();
    const here = await appear("ana", { at: "ours" }, { url: ours.url, name: "room" });
    const there = await appear("ben", { at: "stock" }, { url: stock.webSocketURL, name: "room" });
    await until("seen here", () => seenBy(here)[there.doc.clientID]?.["at"] === "stock");
    await until("seen there", () => seenBy(there)[here.doc.clientID]?.["at"] === "ours");
    // Of the last in a room a stock instance says nothing any more.
    connect({ url: stock.webSocketURL, name: "room" });
    await until("two there", () => stock.hocuspocus.getConnectionsCount() === 2);
    there.leave();
    await until("gone here", () => !seenBy(here)[there.doc.clientID]);
    // The other way round a stock instance drops the news that somebody is gone, and finds out after 30 s by itself.
  });

  test("[I10] of one with another prefix nothing comes over, also where its channels have the names of ours", async () => {
    const { ours } = await start();
    const stranger = await startStock({ prefix: "righttask:b" });
    const heard: string[] = [];
    const enter = (name: string): Promise<Client> =>
      connect({
        url: ours.url,
        name,
        token: tokenOf("ana"),
        onStateless: ({ payload }) => heard.push(payload),
      }).synced();
    const victims = await Promise.all([enter("c"), enter("b:c")]);
    const author = await appear("ben", {}, { url: stranger.webSocketURL, name: "c" });
    author.text.insert(0, "from another installation");
    await until("applied", () => !author.provider.hasUnsyncedChanges);
    await until("refused", () => ours.events("redis-message-refused").length > 0);
    // Behind all that it has said, on the same way.
    const barrier = new OutgoingMessage("b:c").writeBroadcastStateless("barrier").toUint8Array();
    await until("the barrier", async () => {
      await redis.client.publish("righttask:b:c", seal({ from: "stock", message: barrier }));
      return heard.includes("barrier");
    });
    for (const victim of victims) expect([victim.content, seenBy(victim)]).toEqual(["", {}]);
  });

  test("[I10] two stock instances are replaced one after the other while people write, and nothing is lost", async () => {
    const { url: databaseUrl } = tempDatabase();
    const old = [await startStock(), await startStock()] as const;
    let [ana, ben] = [
      connect({ url: old[0].webSocketURL, name: "room" }),
      connect({ url: old[1].webSocketURL, name: "room" }),
    ];
    await Promise.all([ana.synced(), ben.synced()]);
    const marks: string[] = [];
    const writeBoth = (): void => {
      for (const client of [ana, ben]) {
        const mark = `<${marks.length}>`;
        marks.push(mark);
        client.text.insert(client.text.length, mark);
      }
    };
    const agreed = (): Promise<unknown> =>
      until(
        "the same for both",
        () => ana.content === ben.content && marks.every((mark) => ana.content.includes(mark)),
      );
    /** With all that the page has, as a provider comes back; edits go on meanwhile. */
    const move = (client: Client, user: string, url: string): Client => {
      client.leave();
      writeBoth();
      return connect({ url, name: "room", token: tokenOf(user), document: client.doc });
    };

    writeBoth();
    await agreed();
    const one = await startProcess(clusterEnv(redis, databaseUrl));
    ana = move(ana, "ana", one.url);
    await old[0].destroy();
    writeBoth();
    await agreed();
    const two = await startProcess(clusterEnv(redis, databaseUrl));
    ben = move(ben, "ben", two.url);
    await old[1].destroy();
    writeBoth();
    await agreed();
    await Promise.all([ana.saved(), ben.saved()]);
    await Promise.all([one.ended("SIGKILL"), two.ended("SIGKILL")]);
    expect(await storedText(databaseUrl, "room")).toBe(ana.content);
  });
});
