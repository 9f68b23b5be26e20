/** Two instances whose one store is a Postgres database. */
import { expect, onTestFinished, test, vi } from "vitest";
import { connect } from "../support/client.ts";
import { acquainted, clusterEnv } from "../support/instances.ts";
import { usePostgres } from "../support/postgres.ts";
import { appear, sees, tokenOf } from "../support/presence.ts";
import { describeWithRedis } from "../support/redis.ts";
import { ServerProcess, startProcess } from "../support/server-process.ts";
import { storedText } from "../support/stored-room.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";

// Real processes and a real Postgres, on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const postgres = usePostgres();

describeWithRedis("instances on Postgres", (redis) => {
  const room = (server: ServerProcess) => ({ url: server.url, name: "room" });

  /** Two instances, and the network between the first one and Postgres. */
  async function start() {
    const databaseUrl = postgres.newDatabase();
    const network = await TcpProxy.to(Number(new URL(databaseUrl).port));
    onTestFinished(() => network.close());
    const way = new URL(databaseUrl);
    way.port = `${network.port}`;
    const env = clusterEnv(redis, databaseUrl);
    const one = await startProcess({ ...env, DATABASE_URL: way.href });
    const two = await startProcess(env);
    await acquainted(one, two);
    const ana = await appear("ana", {}, room(one));
    const ben = await appear("ben", {}, room(two));
    return { databaseUrl, env, network, one, two, ana, ben };
  }

  test("[I1] [I2] [I3] they share edits and people, and whoever comes later finds all of it", async () => {
    const { databaseUrl, one, two, ana, ben } = await start();
    await sees(ana, { [ben.doc.clientID]: { user: { id: "ben", name: "Ben" } } });
    await sees(ben, { [ana.doc.clientID]: { user: { id: "ana", name: "Ana" } } });
    ana.text.insert(0, "from ana");
    await until("from one to two", () => ben.content === "from ana");
    ben.text.delete(5, 3);
    ben.text.insert(5, "ben");
    await until("from two to one", () => ana.content === "from ben");
    await Promise.all([ana.saved(), ben.saved()]);
    expect(await storedText(databaseUrl, "room")).toBe("from ben");
    // What Ben's edit builds on may be there a second time, without its author.
    const authors = "SELECT DISTINCT author FROM journal WHERE author <> '' ORDER BY author";
    const rows = await postgres.query(databaseUrl, authors);
    expect(rows.map(({ author }) => author)).toEqual(["ana", "ben"]);
    await Promise.all([one.ended("SIGTERM"), two.ended("SIGKILL")]);
    expect(await storedText(databaseUrl, "room")).toBe("from ben");
  });

  test("[I5] what others built on is not lost with an instance that was cut from Postgres, and killed", async () => {
    const { databaseUrl, network, one, two, ana, ben } = await start();
    network.hold("toServer");
    ana.text.insert(0, "a");
    await until("shared", () => ben.content === "a");
    ben.text.insert(1, "b");
    await ben.saved();
    expect(ana.provider.hasUnsyncedChanges).toBe(true);
    // Nobody brings it again, and what was on its way never arrives.
    ana.leave();
    const ended = one.ended("SIGKILL");
    network.cut();
    await ended;
    await until("both stored", async () => (await storedText(databaseUrl, "room")) === "ab");
    await two.ended("SIGKILL");
    expect(await storedText(databaseUrl, "room")).toBe("ab");
  });

  test("[I5] [I6] a restart of Postgres loses nothing at either of them, and disconnects nobody", async () => {
    const { databaseUrl, ana, ben } = await start();
    await postgres.kill();
    ana.text.insert(0, "a");
    await until("shared meanwhile", () => ben.content === "a");
    ben.text.insert(1, "b");
    await until("shared back", () => ana.content === "ab");
    expect([ana, ben].map(({ provider }) => provider.hasUnsyncedChanges)).toEqual([true, true]);
    await postgres.start();
    await Promise.all([ana.saved(), ben.saved()]);
    expect(await storedText(databaseUrl, "room")).toBe("ab");
    expect([ana.closes, ben.closes]).toEqual([[], []]);
  });

  test("[I8] an instance with another database does not start", async () => {
    const { env, one } = await start();
    const stranger = new ServerProcess({ ...env, DATABASE_URL: postgres.newDatabase() });
    expect((await stranger.ended()).code).toBe(1);
    expect(stranger.stderr).toMatch(/^Could not start: The instances on this Redis .* have another store/);
    // Whoever is there notices nothing.
    const cleo = await connect({ ...room(one), token: tokenOf("cleo") }).synced();
    expect(cleo.closes).toEqual([]);
  });
});
