/**
 * The client side of one measurement, a process of its own: forked by run.ts, it opens all connections of a scenario
 * against one server or all its instances, says that it is ready, and for a load also runs it and reports. It ends when it is told to.
 */
import { openClients } from "./client.ts";
import { type LoadResult, runLoad } from "./load.ts";
import type { Scenario } from "./scenarios.ts";
import { type ProtocolName, protocols } from "./wire.ts";
import { createWorkload, roomName } from "./workload.ts";

export interface GeneratorOptions {
  scenario: Scenario;
  protocol: ProtocolName;
  /** One for each instance, or that of the proxy alone. */
  urls: string[];
  /** Names the room in the path, for a proxy that routes by it. */
  isRoomInPath: boolean;
  serverPids: number[];
  redisPid: number | null;
  proxyPid: number | null;
  warmUpMs: number;
  measuredMs: number;
}

export type GeneratorReport =
  | { event: "connected" }
  | { event: "measured"; result: LoadResult }
  | { event: "failed"; reason: string };

const options: GeneratorOptions = JSON.parse(process.argv[2] ?? "null");
await main(options);

async function main({
  scenario,
  urls,
  isRoomInPath,
  warmUpMs,
  measuredMs,
  protocol: protocolName,
  ...processes
}: GeneratorOptions): Promise<void> {
  const spoken = protocols[protocolName];
  const protocol = isRoomInPath ? { ...spoken, path: (room: string) => `/rooms/${room}` } : spoken;
  const updates =
    scenario.kind === "load" ? Math.ceil((scenario.updatesPerSecond * (warmUpMs + measuredMs)) / 1_000) : 0;
  const workload = createWorkload(scenario, protocol, updates);
  const connections = scenario.rooms * scenario.connectionsPerRoom;
  const clients = await openClients(
    Array.from({ length: connections }, (_, n) => ({
      url: urls[n % urls.length] ?? "",
      room: roomName(Math.floor(n / scenario.connectionsPerRoom)),
    })),
    { protocol, onLost: fail },
  );
  report({ event: "connected" });
  if (scenario.kind === "idle") return;
  const { updatesPerSecond } = scenario;
  const result = await runLoad(clients, { workload, updatesPerSecond, warmUpMs, measuredMs, ...processes });
  report({ event: "measured", result: protocol.acknowledges ? result : { ...result, missingAcks: 0 } });
}

function report(message: GeneratorReport): void {
  process.send?.(JSON.stringify(message));
}

/** A client that is lost makes every figure of the run wrong. */
function fail(reason: string): void {
  report({ event: "failed", reason });
}
