/**
 * Sends a workload at a steady rate and measures, over the same window, what the server spent and what arrived.
 *
 * All updates that arrive are counted, at every connection. Latency is sampled at one connection in ten, at another
 * position in each room, because a server that sends in join order serves the first ones earlier.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "./client.ts";
import { countMarkers, readMarkers } from "./marker.ts";
import { cpuMicros, machineCpuMicros, mainThreadCpuMicros } from "./proc.ts";
import { type Percentiles, percentiles } from "./statistics.ts";
import { sequenceOf, type Workload, writerOf } from "./workload.ts";

const TICK_MS = 1;
const RATE_REACHED_SHARE = 0.98;
const SAMPLE_ONE_IN = 10;

/** After the last update the run is over when nothing arrived for this long, at the latest after the deadline. */
const QUIET_MS = 500;
const DRAIN_DEADLINE_MS = 15_000;

const MICROS_PER_MS = 1_000;

export interface LoadOptions {
  workload: Workload;
  updatesPerSecond: number;
  warmUpMs: number;
  measuredMs: number;
  /** Of all instances; connection n is at instance n modulo their number, but where a proxy decides. */
  serverPids: number[];
  redisPid: number | null;
  /** Of what stands in front of the instances. */
  proxyPid: number | null;
}

/** What an instance spent on one update at one receiver, wherever that was. */
export interface InstanceCost {
  cpuMicrosPerDelivery: number;
  mainThreadMicrosPerDelivery: number;
}

export interface LoadResult {
  /** Updates of the whole run. */
  sent: number;
  /** Really sent, in the window. */
  updatesPerSecond: number;
  isRateReached: boolean;
  /** CPU of all instances and of Redis for one update at one receiver other than its writer. */
  cpuMicrosPerDelivery: number;
  /** The part of it on the event loops. */
  mainThreadMicrosPerDelivery: number;
  /** In the order of the instances; without Redis. */
  instances: InstanceCost[];
  /** In none of the other figures. */
  proxyMicrosPerDelivery: number;
  /** The same CPU for one update at all its receivers, and the part of it in Redis. */
  cpuMicrosPerUpdate: number;
  redisMicrosPerUpdate: number;
  /** With several instances and no proxy, from writers at one to readers at another alone. */
  latencyMs: Percentiles | null;
  ackMs: Percentiles | null;
  /** Updates × receivers that never arrived, and updates that were never confirmed, of the whole run. */
  missingDeliveries: number;
  missingAcks: number;
  /** Share of what was sent that came back to its own writer: 1 means the server echoes everything. */
  echoShare: number;
  /** CPU in the window, as a share of one core. `others` is what neither server, proxy nor generator used. */
  serverCpuShare: number;
  generatorCpuShare: number;
  othersCpuShare: number;
}

interface Snapshot {
  atMs: number;
  sent: number;
  receipts: number;
  instances: { micros: number; mainThreadMicros: number }[];
  redisMicros: number;
  proxyMicros: number;
  generatorMicros: number;
  machineMicros: number;
}

export async function runLoad(clients: Client[], options: LoadOptions): Promise<LoadResult> {
  const { workload, updatesPerSecond, warmUpMs, measuredMs, serverPids, redisPid, proxyPid } = options;
  const { messages, connectionsPerRoom } = workload;
  const sentAtMs = new Float64Array(messages.length);
  const received = new Uint32Array(clients.length);
  const acked = new Uint32Array(clients.length);
  const latencies: number[] = [];
  const ackTimes: number[] = [];
  let sent = 0;
  let receipts = 0;
  let unsaved = 0;
  let firstMeasured = Number.POSITIVE_INFINITY;

  // Who is at which instance behind a proxy is not known here.
  const places = proxyPid === null ? serverPids.length : 1;
  const isRemote = (writer: number, reader: number): boolean =>
    places === 1 ? writer !== reader : writer % places !== reader % places;

  for (const [connection, client] of clients.entries()) {
    const count = (updates: number): void => {
      receipts += updates;
      received[connection] = at(received, connection) + updates;
    };
    const room = Math.floor(connection / connectionsPerRoom);
    client.onUpdate =
      connection % SAMPLE_ONE_IN !== room % SAMPLE_ONE_IN
        ? (message) => {
            count(countMarkers(message));
          }
        : (message) => {
            const nowMs = performance.now();
            const sequences = readMarkers(message);
            count(sequences.length);
            for (const sequence of sequences) {
              if (sequence < firstMeasured || !isRemote(writerOf(workload, sequence), connection)) continue;
              latencies.push(nowMs - at(sentAtMs, sequence));
            }
          };
    client.onAck = (isSaved) => {
      const sequence = sequenceOf(workload, connection, at(acked, connection));
      acked[connection] = at(acked, connection) + 1;
      if (!isSaved) unsaved += 1;
      if (sequence >= firstMeasured) ackTimes.push(performance.now() - at(sentAtMs, sequence));
    };
  }

  const takeSnapshot = (): Snapshot => {
    const generator = process.cpuUsage();
    return {
      atMs: performance.now(),
      sent,
      receipts,
      instances: serverPids.map((pid) => ({
        micros: cpuMicros(pid),
        mainThreadMicros: mainThreadCpuMicros(pid),
      })),
      redisMicros: redisPid === null ? 0 : cpuMicros(redisPid),
      proxyMicros: proxyPid === null ? 0 : cpuMicros(proxyPid),
      generatorMicros: generator.user + generator.system,
      machineMicros: machineCpuMicros(),
    };
  };

  const startMs = performance.now();
  let before: Snapshot | null = null;
  let nowMs = startMs;
  while (nowMs < startMs + warmUpMs + measuredMs) {
    const due = Math.min(messages.length, Math.floor(((nowMs - startMs) * updatesPerSecond) / 1_000));
    for (; sent < due; sent += 1) {
      sentAtMs[sent] = performance.now();
      clients[writerOf(workload, sent)]?.send(messages[sent] ?? new Uint8Array());
    }
    if (before === null && nowMs >= startMs + warmUpMs) {
      before = takeSnapshot();
      firstMeasured = sent;
    }
    // oxlint-disable-next-line no-await-in-loop
    await delay(TICK_MS);
    nowMs = performance.now();
  }
  const after = takeSnapshot();
  if (before === null) throw new Error("The generator was stalled for the whole run");

  await untilQuiet(() => receipts);

  // What each connection should have got: all updates of its room but its own. More than that are echoes.
  let missingDeliveries = 0;
  let echoes = 0;
  let acks = 0;
  const own = clients.map((_, connection) => sentBy(workload, connection, sent));
  for (const connection of clients.keys()) {
    const first = connection - (connection % connectionsPerRoom);
    const inRoom = sum(own.slice(first, first + connectionsPerRoom));
    const surplus = at(received, connection) - (inRoom - (own[connection] ?? 0));
    if (surplus < 0) missingDeliveries -= surplus;
    else echoes += surplus;
    acks += at(acked, connection);
  }

  const windowMs = after.atMs - before.atMs;
  const windowMicros = windowMs * MICROS_PER_MS;
  const earlier = before.instances;
  const spent = after.instances.map(({ micros, mainThreadMicros }, n) => ({
    micros: micros - (earlier[n]?.micros ?? 0),
    mainThreadMicros: mainThreadMicros - (earlier[n]?.mainThreadMicros ?? 0),
  }));
  const redisMicros = after.redisMicros - before.redisMicros;
  const proxyMicros = after.proxyMicros - before.proxyMicros;
  const serverMicros = sum(spent.map(({ micros }) => micros)) + redisMicros;
  const generatorMicros = after.generatorMicros - before.generatorMicros;
  const delivered = (after.receipts - before.receipts) * (1 - echoes / receipts);
  // Two updates less can be the edges of the window.
  const expected = (windowMs * updatesPerSecond) / 1_000;
  return {
    isRateReached: after.sent - before.sent >= expected * RATE_REACHED_SHARE - 2,
    sent,
    updatesPerSecond: ((after.sent - before.sent) / windowMs) * 1_000,
    cpuMicrosPerDelivery: serverMicros / delivered,
    mainThreadMicrosPerDelivery: sum(spent.map(({ mainThreadMicros }) => mainThreadMicros)) / delivered,
    instances: spent.map(({ micros, mainThreadMicros }) => ({
      cpuMicrosPerDelivery: micros / delivered,
      mainThreadMicrosPerDelivery: mainThreadMicros / delivered,
    })),
    proxyMicrosPerDelivery: proxyMicros / delivered,
    cpuMicrosPerUpdate: serverMicros / (after.sent - before.sent),
    redisMicrosPerUpdate: redisMicros / (after.sent - before.sent),
    latencyMs: percentiles(latencies),
    ackMs: percentiles(ackTimes),
    missingDeliveries,
    missingAcks: sent - acks + unsaved,
    echoShare: echoes / sent,
    serverCpuShare: serverMicros / windowMicros,
    generatorCpuShare: generatorMicros / windowMicros,
    othersCpuShare:
      (after.machineMicros - before.machineMicros - serverMicros - proxyMicros - generatorMicros) /
      windowMicros,
  };
}

function sentBy(workload: Workload, connection: number, sent: number): number {
  const perTurn = workload.rooms * workload.connectionsPerRoom;
  return Math.max(0, Math.ceil((sent - sequenceOf(workload, connection, 0)) / perTurn));
}

async function untilQuiet(progress: () => number): Promise<void> {
  const deadlineMs = performance.now() + DRAIN_DEADLINE_MS;
  for (let seen = -1; seen !== progress() && performance.now() < deadlineMs;) {
    seen = progress();
    // oxlint-disable-next-line no-await-in-loop
    await delay(QUIET_MS);
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Typed arrays of the right length have no holes; the type does not know. */
function at(values: Float64Array | Uint32Array, index: number): number {
  return values[index] ?? 0;
}
