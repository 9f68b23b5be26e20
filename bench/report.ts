/** From measurements to a markdown page: medians of each server, and the ratios that are the point of it. */
import type { Measurement } from "./measurement.ts";
import type { PeerName } from "./servers.ts";
import { median } from "./statistics.ts";

const KB = 1_000;

/** Above this the generator waits for its own core and adds to every latency. */
const GENERATOR_BUSY_SHARE = 0.9;

/** With more than this used by strangers, server and generator no longer had a core each. */
const OTHERS_BUSY_SHARE = 0.15;

/** A server that sends no update back may still do so when it merges several writers' updates into one message. */
const ECHO_SHARE = 0.5;

type LoadMeasurement = Extract<Measurement, { kind: "load" }>;
type IdleMeasurement = Extract<Measurement, { kind: "idle" }>;

export interface Metric<M extends Measurement> {
  name: string;
  value: (measurement: M) => number;
}

const ratioMetrics: { load: Metric<LoadMeasurement>[]; idle: Metric<IdleMeasurement>[] } = {
  load: [
    { name: "CPU per delivery, and per update", value: ({ load }) => load.cpuMicrosPerDelivery },
    { name: "of it main thread", value: ({ load }) => load.mainThreadMicrosPerDelivery },
    { name: "CPU of Redis per update", value: ({ load }) => load.redisMicrosPerUpdate },
    { name: "latency p50", value: ({ load }) => load.latencyMs?.p50 ?? Number.NaN },
    { name: "latency p99", value: ({ load }) => load.latencyMs?.p99 ?? Number.NaN },
    { name: "ack p50", value: ({ load }) => load.ackMs?.p50 ?? Number.NaN },
    { name: "ack p99", value: ({ load }) => load.ackMs?.p99 ?? Number.NaN },
  ],
  idle: [
    { name: "RSS per connection", value: ({ idle }) => idle.rssBytesPerConnection },
    { name: "heap per connection", value: ({ idle }) => idle.heapBytesPerConnection },
  ],
};

export function renderReport(measurements: Measurement[], header: string[]): string {
  const loads = measurements.filter((measurement) => measurement.kind === "load");
  const idles = measurements.filter((measurement) => measurement.kind === "idle");
  return [
    "# Benchmark",
    header.map((line) => `- ${line}`).join("\n"),
    loads.length > 0 ? loadTable(loads) : "",
    idles.length > 0 ? idleTable(idles) : "",
    ratioTable(loads, ratioMetrics.load, idles, ratioMetrics.idle),
    "Medians over the rounds; each ratio is taken within its round first, the range over the rounds in brackets.",
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** One line while the run goes on. */
export function renderProgress(measurement: Measurement): string {
  const head = `round ${measurement.round} ${measurement.scenario.name} ${measurement.peer}:`;
  if (measurement.kind === "idle") {
    const { rssBytesPerConnection, heapBytesPerConnection } = measurement.idle;
    return `${head} ${fixed(rssBytesPerConnection / KB)} kB RSS, ${fixed(heapBytesPerConnection / KB)} kB heap per connection`;
  }
  const { load } = measurement;
  const ack = load.ackMs ? `, ack ${fixed(load.ackMs.p50)}/${fixed(load.ackMs.p99)} ms` : "";
  const notes = loadNotes([measurement]);
  const perUpdate = measurement.redis
    ? `, ${fixed(load.cpuMicrosPerUpdate)} µs/update (Redis ${fixed(load.redisMicrosPerUpdate)})`
    : "";
  return `${head} ${fixed(load.cpuMicrosPerDelivery)} µs/delivery (main thread ${fixed(load.mainThreadMicrosPerDelivery)})${perUpdate}, latency ${fixed(load.latencyMs?.p50)}/${fixed(load.latencyMs?.p99)} ms${ack}${notes && ` (${notes})`}`;
}

function loadTable(measurements: LoadMeasurement[]): string {
  const isShared = measurements.some(({ redis }) => redis !== null);
  const rows = grouped(measurements).map((group) => {
    const of = (value: (load: LoadMeasurement["load"]) => number | undefined): number =>
      median(group.map(({ load }) => value(load) ?? Number.NaN));
    return [
      group[0]?.scenario.name,
      group[0]?.peer,
      Math.round(of((load) => load.updatesPerSecond)),
      fixed(of((load) => load.cpuMicrosPerDelivery)),
      fixed(of((load) => load.mainThreadMicrosPerDelivery)),
      fixed(of((load) => load.latencyMs?.p50)),
      fixed(of((load) => load.latencyMs?.p99)),
      fixed(of((load) => load.ackMs?.p50)),
      fixed(of((load) => load.ackMs?.p99)),
      percent(of((load) => load.serverCpuShare)),
      percent(of((load) => load.generatorCpuShare)),
      percent(of((load) => load.othersCpuShare)),
      ...(isShared ? sharedCells(group) : []),
      loadNotes(group),
    ];
  });
  const columns = [
    "scenario",
    "server",
    "updates/s",
    "CPU µs/delivery",
    "of it main thread",
    "p50 ms",
    "p99 ms",
    "ack p50 ms",
  ];
  const sharedColumns = isShared
    ? ["CPU µs/update", "of it Redis", "Redis commands/update", "Redis bytes in/out per update"]
    : [];
  return table(
    [...columns, "ack p99 ms", "server CPU", "generator CPU", "others CPU", ...sharedColumns, "notes"],
    rows,
  );
}

/** What there is to say where several instances share the rooms. */
function sharedCells(group: LoadMeasurement[]): string[] {
  const of = (value: (measurement: LoadMeasurement) => number | undefined): number =>
    median(group.map((measurement) => value(measurement) ?? Number.NaN));
  return [
    fixed(of(({ load }) => load.cpuMicrosPerUpdate)),
    fixed(of(({ load }) => load.redisMicrosPerUpdate)),
    fixed(of(({ redis }) => redis?.commands)),
    `${Math.round(of(({ redis }) => redis?.bytesIn))} / ${Math.round(of(({ redis }) => redis?.bytesOut))}`,
  ];
}

function idleTable(measurements: IdleMeasurement[]): string {
  const rows = grouped(measurements).map((group) => [
    group[0]?.scenario.name,
    group[0]?.peer,
    fixed(median(group.map(({ idle }) => idle.rssBytesPerConnection)) / KB),
    fixed(median(group.map(({ idle }) => idle.heapBytesPerConnection)) / KB),
  ]);
  return table(["scenario", "server", "RSS kB/connection", "heap kB/connection"], rows);
}

function ratioTable(
  loads: LoadMeasurement[],
  loadMetrics: Metric<LoadMeasurement>[],
  idles: IdleMeasurement[],
  idleMetrics: Metric<IdleMeasurement>[],
): string {
  const rows = [...ratioRows(loads, loadMetrics), ...ratioRows(idles, idleMetrics)];
  return rows.length > 0 ? table(["scenario", "measure", "ours/stock", "ours/y-websocket"], rows) : "";
}

function ratioRows<M extends Measurement>(measurements: M[], metrics: Metric<M>[]): string[][] {
  const scenarios = new Set(measurements.map(({ scenario }) => scenario.name));
  return [...scenarios].flatMap((scenario) => {
    const here = measurements.filter((measurement) => measurement.scenario.name === scenario);
    return metrics
      .map(({ name, value }) => [
        scenario,
        name,
        ...(["stock", "y-websocket"] as const).map((other) => ratio(here, value, other)),
      ])
      .filter((row) => row.slice(2).some((cell) => cell !== "–"));
  });
}

function ratio<M extends Measurement>(
  measurements: M[],
  value: (measurement: M) => number,
  other: PeerName,
): string {
  const valueOf = (peer: PeerName, round: number): number => {
    const found = measurements.find(
      (measurement) => measurement.peer === peer && measurement.round === round,
    );
    return found ? value(found) : Number.NaN;
  };
  const rounds = new Set(measurements.map(({ round }) => round));
  const ratios = [...rounds]
    .map((round) => valueOf("ours", round) / valueOf(other, round))
    .filter((quotient) => Number.isFinite(quotient));
  if (ratios.length === 0) return "–";
  return `${fixed(median(ratios))} (${fixed(Math.min(...ratios))} to ${fixed(Math.max(...ratios))})`;
}

/** What a reader must know before believing a row. */
function loadNotes(group: LoadMeasurement[]): string {
  const any = (test: (measurement: LoadMeasurement) => boolean): boolean => group.some(test);
  const sum = (value: (load: LoadMeasurement["load"]) => number): number =>
    group.reduce((total, { load }) => total + value(load), 0);
  const missingDeliveries = sum((load) => load.missingDeliveries);
  const missingAcks = sum((load) => load.missingAcks);
  return [
    any(({ load }) => load.echoShare < ECHO_SHARE) ? "no echo to the writer" : "",
    missingDeliveries > 0 ? `${missingDeliveries} DELIVERIES MISSING` : "",
    missingAcks > 0 ? `${missingAcks} ACKS MISSING` : "",
    any(({ load }) => load.generatorCpuShare > GENERATOR_BUSY_SHARE) ? "generator CPU-bound" : "",
    any(({ load }) => !load.isRateReached) ? "rate not reached" : "",
    any(({ load }) => load.othersCpuShare > OTHERS_BUSY_SHARE) ? "machine busy" : "",
  ]
    .filter((note) => note !== "")
    .join(", ");
}

/** The measurements of all rounds together, by scenario and server, in the order they first ran. */
function grouped<M extends Measurement>(measurements: M[]): M[][] {
  return [...Map.groupBy(measurements, ({ scenario, peer }) => `${scenario.name} ${peer}`).values()];
}

function table(columns: string[], rows: (string | number | undefined)[][]): string {
  return [columns, columns.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function fixed(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "–" : value.toFixed(2);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
