/** One scenario on one server: fresh instances, fresh generator, one result. */
import { fork } from "node:child_process";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDeployment } from "./deployment.ts";
import type { GeneratorOptions, GeneratorReport } from "./generator.ts";
import { type Memory, measureMemory } from "./inspector.ts";
import type { LoadResult } from "./load.ts";
import { type RedisTraffic, trafficOf } from "./redis.ts";
import type { Scenario } from "./scenarios.ts";
import { endWithParent, type PeerName, peers, stopChild } from "./servers.ts";

export interface IdleResult {
  rssBytesPerConnection: number;
  heapBytesPerConnection: number;
}

export type Measurement = { round: number; peer: PeerName; scenario: Scenario } & (
  | { kind: "load"; load: LoadResult; redis: RedisTraffic | null }
  | { kind: "idle"; idle: IdleResult }
);

export interface MeasurementOptions {
  peer: PeerName;
  scenario: Scenario;
  round: number;
  instances: number;
  warmUpMs: number;
  measuredMs: number;
}

export async function measure(options: MeasurementOptions): Promise<Measurement> {
  const { peer, scenario, round, instances, warmUpMs, measuredMs } = options;
  await using directory = await mkdtempDisposable(join(tmpdir(), "righttask-bench-"));
  const isInspected = scenario.kind === "idle";
  const database = join(directory.path, "bench.sqlite");
  const deployment = await startDeployment(peer, { instances, database, isInspected });
  const { servers, redis } = deployment;
  const memory = async (): Promise<Memory> => totalOf(await Promise.all(servers.map(measureMemory)));
  try {
    const before = isInspected ? await memory() : null;
    const generator = startGenerator({
      scenario,
      protocol: peers[peer].protocol,
      urls: servers.map(({ url }) => url),
      isRoomInPath: false,
      serverPids: servers.map(({ pid }) => pid),
      redisPid: redis?.pid ?? null,
      proxyPid: null,
      warmUpMs,
      measuredMs,
    });
    try {
      if (before === null) {
        await generator.connected;
        const quiet = redis && (await trafficOf(redis));
        const load = await generator.measured;
        return {
          round,
          peer,
          scenario,
          kind: "load",
          load,
          redis: redis && quiet ? perUpdate(quiet, await trafficOf(redis), load.sent) : null,
        };
      }
      await generator.connected;
      const after = await memory();
      const connections = scenario.rooms * scenario.connectionsPerRoom;
      const idle = {
        rssBytesPerConnection: (after.rssBytes - before.rssBytes) / connections,
        heapBytesPerConnection: (after.heapBytes - before.heapBytes) / connections,
      };
      return { round, peer, scenario, kind: "idle", idle };
    } finally {
      await generator.stop();
    }
  } catch (error) {
    throw new Error(
      `${scenario.name} on ${peer} failed; last output of its instances:\n${servers.map((server) => server.output()).join("\n\n")}`,
      {
        cause: error,
      },
    );
  } finally {
    await deployment.stop();
  }
}

function totalOf(memories: Memory[]): Memory {
  const total = { rssBytes: 0, heapBytes: 0 };
  for (const { rssBytes, heapBytes } of memories) {
    total.rssBytes += rssBytes;
    total.heapBytes += heapBytes;
  }
  return total;
}

/** With the heartbeats and store locks of the same time, and the second at the end in which nothing is sent any more. */
function perUpdate(before: RedisTraffic, after: RedisTraffic, updates: number): RedisTraffic {
  return {
    commands: (after.commands - before.commands) / updates,
    bytesIn: (after.bytesIn - before.bytesIn) / updates,
    bytesOut: (after.bytesOut - before.bytesOut) / updates,
  };
}

export interface Generator {
  connected: Promise<void>;
  measured: Promise<LoadResult>;
  stop(): Promise<void>;
}

export function startGenerator(options: GeneratorOptions): Generator {
  const child = fork(join(import.meta.dirname, "generator.ts"), [JSON.stringify(options)]);
  endWithParent(child);
  const connected = Promise.withResolvers<void>();
  const measured = Promise.withResolvers<LoadResult>();
  const fail = (reason: string): void => {
    const error = new Error(`generator: ${reason}`);
    connected.reject(error);
    measured.reject(error);
  };
  // A scenario awaits one of the two; the other must not end the process as an unhandled rejection.
  connected.promise.catch(() => {});
  measured.promise.catch(() => {});
  child.on("message", (message) => {
    if (typeof message !== "string") return;
    const report: GeneratorReport = JSON.parse(message);
    switch (report.event) {
      case "connected":
        connected.resolve();
        break;
      case "measured":
        measured.resolve(report.result);
        break;
      case "failed":
        fail(report.reason);
        break;
    }
  });
  child.once("exit", (code, signal) => {
    fail(`exited with ${code ?? signal}`);
  });
  return { connected: connected.promise, measured: measured.promise, stop: async () => stopChild(child) };
}
