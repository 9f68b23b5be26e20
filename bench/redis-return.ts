/**
 * `npm run bench:redis-return`: Redis restarts while thousands of rooms are open at each of several instances, and every room was edited
 * meanwhile. How long until all have everything, and what does it cost?
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as Y from "yjs";
import { until } from "../test/support/until.ts";
import { exitOnSignals } from "../campaigns/command-line.ts";
import { openClients } from "./client.ts";
import { startDeployment } from "./deployment.ts";
import { storeLargeRooms } from "./large-document.ts";
import { readLoop, watchLoop } from "./loop-watch.ts";
import { cpuMicros } from "./proc.ts";
import { trafficOf } from "./redis.ts";
import { protocols } from "./wire.ts";
import { roomName } from "./workload.ts";

const WAIT_MS = 120_000;
const AWAY_MS = 3_000;
const LOOK_MS = 500;

/** Below this share of a core nothing goes on any more but heartbeats. */
const QUIET_SHARE = 0.05;

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "3" },
    rooms: { type: "string", default: "2000" },
    /** What each room holds before. */
    megabytes: { type: "string", default: "0" },
  },
});
const instances = Number(values.instances);
const rooms = Number(values.rooms);
const protocol = protocols.hocuspocus;

exitOnSignals();
await using directory = await mkdtempDisposable(join(tmpdir(), "righttask-bench-"));
const database = join(directory.path, "bench.sqlite");
const names = Array.from({ length: rooms }, (_, n) => roomName(n));
const megabytes = Number(values.megabytes);
if (megabytes > 0) storeLargeRooms(database, { rooms: names, megabytes });
const deployment = await startDeployment("ours", {
  instances,
  database,
  isInspected: true,
});
const { servers, redis } = deployment;
if (redis === null) throw new Error("One instance has no Redis");
let isOver = false;
const clients = await openClients(
  Array.from({ length: rooms * instances }, (_, n) => ({
    url: servers[n % instances]?.url ?? "",
    room: roomName(Math.floor(n / instances)),
  })),
  {
    protocol,
    onLost(reason) {
      if (!isOver) throw new Error(reason);
    },
  },
);
const readers = clients.filter((_, n) => n % instances !== 0);
let heard = 0;
for (const reader of readers) {
  // Once: what comes is counted by reader.
  reader.onUpdate = () => {
    heard += 1;
    reader.onUpdate = () => {};
  };
}
console.log(
  `${rooms} rooms of ${megabytes} MB, each open at ${instances} instances, one edit in each while Redis is away\n`,
);

await redis.stop();
await delay(AWAY_MS);
for (let room = 0; room < rooms; room += 1)
  clients[room * instances]?.send(protocol.update(roomName(room), anEdit()));
await delay(AWAY_MS);
if (heard > 0) throw new Error(`${heard} edits came without Redis`);
const pids = servers.map(({ pid }) => pid);
await Promise.all(servers.map(async ({ inspectorUrl }) => watchLoop(inspectorUrl)));
const cpuBefore = pids.map(cpuMicros);
await redis.start();
const startedAt = performance.now();
const times: { half: number; all: number } = { half: 0, all: 0 };
let peak = 0;
let last = cpuBefore;
for (let quiet = false; !quiet;) {
  const lookedAt = performance.now();
  // oxlint-disable-next-line no-await-in-loop
  await until("a while has passed, or all is heard", () => {
    if (heard >= readers.length / 2) times.half ||= performance.now() - startedAt;
    if (heard >= readers.length) times.all ||= performance.now() - startedAt;
    return performance.now() - lookedAt >= LOOK_MS;
  });
  const now = pids.map(cpuMicros);
  const windowMicros = (performance.now() - lookedAt) * 1_000;
  const shares = now.map((micros, n) => (micros - (last[n] ?? 0)) / windowMicros);
  last = now;
  peak = Math.max(peak, ...shares);
  quiet = times.all > 0 && shares.every((share) => share < QUIET_SHARE);
  if (performance.now() - startedAt > WAIT_MS)
    throw new Error(`${heard} of ${readers.length} after ${WAIT_MS} ms`);
}
const traffic = await trafficOf(redis);
const delays = await Promise.all(servers.map(async ({ inspectorUrl }) => readLoop(inspectorUrl)));
const rows: [string, string][] = [
  ["half of all readers have the edit after Redis' start, s", (times.half / 1_000).toFixed(2)],
  ["all have it, s", (times.all / 1_000).toFixed(2)],
  ["quiet again, s", ((performance.now() - startedAt) / 1_000).toFixed(2)],
  [
    "CPU of each instance until then, ms",
    last.map((micros, n) => Math.round((micros - (cpuBefore[n] ?? 0)) / 1_000)).join(", "),
  ],
  [`highest share of a core in ${LOOK_MS} ms`, `${Math.round(peak * 100)} %`],
  [
    "event loop delay p99 and max, ms",
    delays.map(({ p99, max }) => `${p99.toFixed(0)} / ${max.toFixed(0)}`).join(", "),
  ],
  ["CPU of Redis, ms", `${Math.round(cpuMicros(redis.pid) / 1_000)}`],
  ["commands of Redis", `${traffic.commands}`],
  [
    "MB in and out of Redis",
    `${(traffic.bytesIn / 1e6).toFixed(1)} / ${(traffic.bytesOut / 1e6).toFixed(1)}`,
  ],
];
for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
isOver = true;
await deployment.stop();
process.exit(0);

function anEdit(): Uint8Array {
  const document = new Y.Doc();
  document.getText("notes").insert(0, "written while Redis was away");
  return Y.encodeStateAsUpdate(document);
}
