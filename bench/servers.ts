/** The servers compared, each a child process of its own that says on stdout where it listens. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ProtocolName } from "./wire.ts";

const ROOT = join(import.meta.dirname, "..");
const START_TIMEOUT_MS = 20_000;

/** Of a server that does not start: enough to see why. */
const OUTPUT_LINES_KEPT = 30;

/** All clients come from one address, one room may hold hundreds and few writers write for many, which limits made for the Internet would refuse. */
const LIMITS = [
  "MAX_CONNECTIONS",
  "MAX_CONNECTIONS_PER_IP",
  "MAX_CONNECTIONS_PER_ROOM",
  "MAX_MESSAGES_PER_SECOND",
];
const NO_LIMIT = "100000";

/** What the instances of a server share. */
export interface Backing {
  database: string;
  /** Null where there is one instance. */
  redisUrl: string | null;
}

export interface Peer {
  protocol: ProtocolName;
  /** Whether several instances of it can serve one room. */
  scalesOut: boolean;
  args: (backing: Backing) => string[];
  env: (backing: Backing) => Record<string, string>;
}

export const PEER_NAMES = ["ours", "stock", "y-websocket"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export const peers: Record<PeerName, Peer> = {
  ours: {
    protocol: "hocuspocus",
    scalesOut: true,
    args: () => [join(ROOT, "server.ts")],
    env: ({ database, redisUrl }) => ({
      PORT: "0",
      HOST: "127.0.0.1",
      DATABASE_URL: `sqlite:${database}`,
      LOG_FORMAT: "json",
      LOG_LEVEL: "info",
      ...(redisUrl !== null && { REDIS_URL: redisUrl }),
      ...raisedLimits(),
    }),
  },
  stock: {
    protocol: "hocuspocus",
    scalesOut: true,
    args: ({ database, redisUrl }) => [
      join(ROOT, "bench/peers/stock.ts"),
      database,
      ...(redisUrl === null ? [] : [redisUrl]),
    ],
    env: () => ({}),
  },
  "y-websocket": {
    protocol: "y-websocket",
    scalesOut: false,
    args: () => [join(ROOT, "bench/peers/y-websocket.ts")],
    env: () => ({}),
  },
};

export interface RunningServer {
  pid: number;
  url: string;
  /** Empty unless started with `isInspected`. */
  inspectorUrl: string;
  /** Its last lines, for when something goes wrong. */
  output(): string;
  stop(): Promise<void>;
}

export interface StartOptions extends Backing {
  isInspected: boolean;
}

/** Throws an Error with the server's last lines of output if it does not listen in time. */
export async function startServer(name: PeerName, options: StartOptions): Promise<RunningServer> {
  return startPeer(peers[name], options);
}

/** As `startServer`. */
export async function startPeer(
  peer: Peer,
  { isInspected, ...backing }: StartOptions,
): Promise<RunningServer> {
  const flags = isInspected ? ["--inspect=127.0.0.1:0"] : [];
  // A clean environment: whatever the shell has set for development must not change what is measured.
  const child = spawn(process.execPath, [...flags, ...peer.args(backing)], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...peer.env(backing) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithParent(child);
  const output: string[] = [];
  try {
    const { port, inspectorUrl } = await untilListening(child, { output, isInspected });
    return {
      pid: child.pid ?? 0,
      url: `ws://127.0.0.1:${port}`,
      inspectorUrl,
      output: () => output.join("\n"),
      stop: async () => stopChild(child),
    };
  } catch (error) {
    await stopChild(child);
    const [file] = peer.args(backing);
    throw new Error(`${file} did not start\n${output.join("\n")}`, { cause: error });
  }
}

/** At once: what it has stored is thrown away anyway, and an orderly stop would only take time. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

export function endWithParent(child: ChildProcess): void {
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", kill);
  child.once("exit", () => {
    process.off("exit", kill);
  });
}

/** Only the limits this version has: it refuses to start with a variable it does not know, so that old commits run too. */
function raisedLimits(): Record<string, string> {
  const help = execFileSync(process.execPath, [join(ROOT, "server.ts"), "--help"], { encoding: "utf8" });
  const known = LIMITS.filter((limit) => new RegExp(`\\b${limit}\\b`).test(help));
  return Object.fromEntries(known.map((limit) => [limit, NO_LIMIT]));
}

async function untilListening(
  child: ChildProcess,
  { output, isInspected }: { output: string[]; isInspected: boolean },
): Promise<{ port: number; inspectorUrl: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ port: number; inspectorUrl: string }>();
  let port = 0;
  let inspectorUrl = "";
  const read = (line: string): void => {
    output.push(line);
    if (output.length > OUTPUT_LINES_KEPT) output.shift();
    port ||= listeningPort(line);
    inspectorUrl ||= /^Debugger listening on (ws:\S+)$/.exec(line)?.[1] ?? "";
    if (port !== 0 && (inspectorUrl !== "" || !isInspected)) resolve({ port, inspectorUrl });
  };
  // Read to the end of the process, not only until it listens: a full pipe would block the server.
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface(stream).on("line", read);
  }
  const timeout = setTimeout(() => {
    reject(new Error(`not listening after ${START_TIMEOUT_MS} ms`));
  }, START_TIMEOUT_MS);
  child.once("exit", (code) => {
    reject(new Error(`exited with ${code}`));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timeout);
  }
}

function listeningPort(line: string): number {
  if (!line.startsWith("{") || !line.includes('"listening"')) return 0;
  const entry: { event?: string; port?: number } = JSON.parse(line);
  return entry.event === "listening" ? (entry.port ?? 0) : 0;
}
