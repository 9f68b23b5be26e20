/** One case of `npm run bench:affinity`: fresh instances behind a fresh HAProxy, one load, one result. */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HaproxyProcess } from "../test/support/haproxy-process.ts";
import type { Binary } from "../test/support/debian-binary.ts";
import type { LoadResult } from "./load.ts";
import { type Generator, startGenerator } from "./measurement.ts";
import { startRedis } from "./redis.ts";
import type { Scenario } from "./scenarios.ts";
import { peers, type RunningServer, startPeer } from "./servers.ts";
import { roomName } from "./workload.ts";

const ADMIN_TOKEN = "bench-admin-token-of-the-collaboration-server";

export interface Case {
  readonly name: string;
  readonly instances: number;
  /** Without it a socket goes where the fewest are. */
  readonly isRoomInPath: boolean;
}

export interface CaseOptions {
  /** For one instance. */
  readonly scenario: Scenario;
  readonly haproxy: Binary;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

export interface CaseResult {
  /** Rooms with people at exactly one instance, of all rooms. */
  readonly undividedShare: number;
  readonly load: LoadResult;
}

/** @throws an Error with the instances' last lines of output. */
export async function measureCase(
  { name, instances, isRoomInPath }: Case,
  { scenario: share, haproxy, warmUpMs, measuredMs }: CaseOptions,
): Promise<CaseResult> {
  const scenario = times(share, instances);
  await using directory = await mkdtempDisposable(join(tmpdir(), "righttask-bench-"));
  const redis = await startRedis();
  const servers: RunningServer[] = [];
  let proxy: HaproxyProcess | null = null;
  let generator: Generator | null = null;
  try {
    for (let n = 0; n < instances; n += 1)
      // oxlint-disable-next-line no-await-in-loop
      servers.push(await startInstance(join(directory.path, "bench.sqlite"), redis.url));
    proxy = await HaproxyProcess.start(
      haproxy,
      servers.map(({ url }) => Number(new URL(url).port)),
      { MAXCONN: "5000", MAX_CONNECTIONS_PER_IP: "100000" },
    );
    generator = startGenerator({
      scenario,
      protocol: "hocuspocus",
      urls: [proxy.url.replace("http", "ws")],
      isRoomInPath,
      serverPids: servers.map(({ pid }) => pid),
      redisPid: redis.pid,
      proxyPid: proxy.pid,
      warmUpMs,
      measuredMs,
    });
    const load = await generator.measured;
    return { load, undividedShare: await undivided(servers, scenario.rooms) };
  } catch (error) {
    throw new Error(`${name} failed\n${servers.map((server) => server.output()).join("\n\n")}`, {
      cause: error,
    });
  } finally {
    await generator?.stop();
    await proxy?.stop();
    await Promise.all(servers.map(async (server) => server.stop()));
    await redis.stop();
  }
}

/** So that each instance has the same load: what an update costs depends on how much there is to do in a turn. */
function times(scenario: Scenario, instances: number): Scenario {
  const rooms = scenario.rooms * instances;
  return scenario.kind === "load"
    ? { ...scenario, rooms, updatesPerSecond: scenario.updatesPerSecond * instances }
    : { ...scenario, rooms };
}

/** With a Redis also where it is alone, as whoever is about to add a second one has it. */
async function startInstance(database: string, redisUrl: string): Promise<RunningServer> {
  const env: typeof peers.ours.env = (backing) => ({
    ...peers.ours.env(backing),
    ADMIN_TOKEN,
    TRUST_PROXY: "1",
  });
  return startPeer({ ...peers.ours, env }, { database, redisUrl, isInspected: false });
}

/** By what the instances themselves say. */
async function undivided(servers: readonly RunningServer[], rooms: number): Promise<number> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const isThere = async ({ url }: RunningServer, room: string): Promise<boolean> => {
    const response = await fetch(`${url.replace("ws", "http")}/api/rooms/${room}/presence`, { headers });
    return ((await response.json()) as { users: unknown[] }).users.length > 0;
  };
  let count = 0;
  for (let room = 0; room < rooms; room += 1) {
    // oxlint-disable-next-line no-await-in-loop
    const places = await Promise.all(servers.map(async (server) => isThere(server, roomName(room))));
    if (places.filter(Boolean).length === 1) count += 1;
  }
  return count / rooms;
}
