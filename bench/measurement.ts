/** One scenario on one server: fresh server, fresh generator, one result. */
import { fork } from "node:child_process";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GeneratorOptions, GeneratorReport } from "./generator.ts";
import { measureMemory } from "./inspector.ts";
import type { LoadResult } from "./load.ts";
import type { Scenario } from "./scenarios.ts";
import { endWithParent, type PeerName, peers, startServer, stopChild } from "./servers.ts";

export interface IdleResult {
  rssBytesPerConnection: number;
  heapBytesPerConnection: number;
}

export type Measurement = { round: number; peer: PeerName; scenario: Scenario } & (
  | { kind: "load"; load: LoadResult }
  | { kind: "idle"; idle: IdleResult }
);

export interface MeasurementOptions {
  peer: PeerName;
  scenario: Scenario;
  round: number;
  warmUpMs: number;
  measuredMs: number;
}

export async function measure(options: MeasurementOptions): Promise<Measurement> {
  const { peer, scenario, round, warmUpMs, measuredMs } = options;
  await using directory = await mkdtempDisposable(join(tmpdir(), "righttask-bench-"));
  const isInspected = scenario.kind === "idle";
  const server = await startServer(peer, { database: join(directory.path, "bench.sqlite"), isInspected });
  try {
    const before = isInspected ? await measureMemory(server) : null;
    const generator = startGenerator({
      scenario,
      protocol: peers[peer].protocol,
      url: server.url,
      serverPid: server.pid,
      warmUpMs,
      measuredMs,
    });
    try {
      if (before === null) {
        return { round, peer, scenario, kind: "load", load: await generator.measured };
      }
      await generator.connected;
      const after = await measureMemory(server);
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
    throw new Error(`${scenario.name} on ${peer} failed; last output of the server:\n${server.output()}`, {
      cause: error,
    });
  } finally {
    await server.stop();
  }
}

interface Generator {
  connected: Promise<void>;
  measured: Promise<LoadResult>;
  stop(): Promise<void>;
}

function startGenerator(options: GeneratorOptions): Generator {
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
