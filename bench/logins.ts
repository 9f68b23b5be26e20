/**
 * `npm run bench:logins`: everybody comes back at once, as after a network that was away, while the backend takes its time for each answer. Every
 * client is another user at another address in rooms of ten.
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exitOnSignals } from "../campaigns/command-line.ts";
import { type RunningBackend, startBackend } from "./backend.ts";
import { cpuMicros } from "./proc.ts";
import { ReturningClient } from "./returning-client.ts";
import { type Peer, peers, startPeer } from "./servers.ts";
import { percentiles } from "./statistics.ts";

const PEOPLE_PER_ROOM = 10;

/** The first time they come in groups: only the return is measured. */
const GROUP = 50;

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "2000" },
    "answer-ms": { type: "string", default: "50" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "ours,stock" },
  },
});
const clients = Number(values.clients);

exitOnSignals();
console.log(`${clients} clients return at once; the backend answers in ${values["answer-ms"]} ms\n`);
console.log(
  "| server | back in ms, p50 | p99 | all | questions | most at once | attempts that failed | CPU ms: server | backend |",
);
console.log("|---|---|---|---|---|---|---|---|---|");
for (let round = 0; round < Number(values.rounds); round += 1)
  for (const name of values.only.split(","))
    // One after the other, each alone on the machine.
    // oxlint-disable-next-line no-await-in-loop
    console.log(await measure(name));
process.exit(0);

function peerNamed(name: string, env: Record<string, string>): Peer {
  if (name === "ours") {
    // A proxy in front, so that not all are one address.
    const ours: Peer["env"] = (backing) => ({
      ...peers.ours.env(backing),
      ...env,
      TRUST_PROXY: "1",
    });
    return { ...peers.ours, env: ours };
  }
  if (name !== "stock") throw new Error(`No server ${name}. There are: ours, stock`);
  const file = join(import.meta.dirname, "peers/stock-webhook.ts");
  return { ...peers.stock, args: ({ database }) => [file, database], env: () => env };
}

async function measure(name: string): Promise<string> {
  await using directory = await mkdtempDisposable(join(tmpdir(), "righttask-bench-"));
  const backend = await startBackend({ answerMs: Number(values["answer-ms"]) });
  const server = await startPeer(peerNamed(name, backend.env), {
    database: join(directory.path, "bench.sqlite"),
    redisUrl: null,
    isInspected: false,
  });
  try {
    const crowd = await crowdAt(server.url, backend);
    await backend.resetCalls();
    const cpuBefore = [server.pid, backend.pid].map(cpuMicros);
    for (const client of crowd) client.leave();
    const times = await Promise.all(crowd.map((client) => client.enter()));
    const [serverCpu, backendCpu] = [server.pid, backend.pid].map(
      (pid, i) => (cpuMicros(pid) - (cpuBefore[i] ?? 0)) / 1_000,
    );
    const { calls, maxInFlight } = await backend.calls();
    const { p50 = 0, p99 = 0 } = percentiles(times) ?? {};
    const failures = crowd.reduce((sum, client) => sum + client.failures, 0);
    const cells = [p50, p99, Math.max(...times), calls, maxInFlight, failures, serverCpu, backendCpu];
    return `| ${name} | ${cells.map((cell) => Math.round(cell ?? 0)).join(" | ")} |`;
  } finally {
    await server.stop();
    await backend.stop();
  }
}

async function crowdAt(url: string, backend: RunningBackend): Promise<ReturningClient[]> {
  const crowd: ReturningClient[] = [];
  for (let from = 0; from < clients; from += GROUP) {
    const group = Array.from({ length: Math.min(GROUP, clients - from) }, async (_, i) => {
      const n = from + i;
      const room = `room-${Math.floor(n / PEOPLE_PER_ROOM)}`;
      const token = await backend.admit(`user-${n}`, room);
      const client = new ReturningClient({ url, room, token, address: `10.0.${n >> 8}.${n & 255}` });
      await client.enter();
      client.failures = 0;
      return client;
    });
    // In groups, one after the other.
    // oxlint-disable-next-line no-await-in-loop
    crowd.push(...(await Promise.all(group)));
  }
  return crowd;
}
