/** The NestJS backend of `examples/backend`, which answers late on purpose and counts how often it is asked at once. */
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import jwt from "jsonwebtoken";
import { endWithParent, stopChild } from "./servers.ts";

const ROOT = join(import.meta.dirname, "..");
const JWT_SECRET = "bench-jwt-secret-0123456789abcdef0123";
const WEBHOOK_SECRET = "bench-webhook-secret-0123456789abcdef";
const ADMIN_TOKEN = "bench-admin-token";

export interface Calls {
  calls: number;
  maxInFlight: number;
}

export interface RunningBackend {
  pid: number;
  /** What a server has to know of it. */
  env: Record<string, string>;
  /** Gives somebody the right to write in a room, and returns their token. */
  admit(user: string, room: string): Promise<string>;
  resetCalls(): Promise<void>;
  calls(): Promise<Calls>;
  stop(): Promise<void>;
}

export async function startBackend({ answerMs }: { answerMs: number }): Promise<RunningBackend> {
  // Decorators are nothing that Node can strip.
  execFileSync("npm", ["run", "-s", "build", "-w", "examples/backend"], { cwd: ROOT, stdio: "inherit" });
  const child = spawn(process.execPath, ["dist/main.js"], {
    cwd: join(ROOT, "examples/backend"),
    env: {
      PATH: process.env["PATH"] ?? "",
      PORT: "0",
      HOST: "127.0.0.1",
      JWT_SECRET,
      AUTH_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ADMIN_TOKEN,
      DEMO_FAULTS: "1",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  endWithParent(child);
  const url = await listening(child.stdout);
  const call = async (method: string, path: string, body?: object): Promise<Response> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  await call("PUT", "/faults", { mode: "slow", slowMs: answerMs });
  return {
    pid: child.pid ?? 0,
    env: { AUTH_WEBHOOK_URL: `${url}/collab/authorize`, AUTH_WEBHOOK_SECRET: WEBHOOK_SECRET },
    async admit(user, room) {
      await call("PUT", `/rooms/${room}/rights/${user}`, { access: "write" });
      return jwt.sign({ sub: user, name: user }, JWT_SECRET, { expiresIn: "1h" });
    },
    async resetCalls() {
      await call("DELETE", "/faults/calls");
    },
    calls: async () => (await (await call("GET", "/faults/calls")).json()) as Calls,
    stop: () => stopChild(child),
  };
}

async function listening(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(stdout)) {
    const url = /listening on (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    stdout.resume();
    return url;
  }
  throw new Error("The backend ended before it listened");
}
