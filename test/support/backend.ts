/** The real NestJS backend of `examples/backend` as a child process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { inherited } from "./inherited.ts";

export const jwtSecret = "test-jwt-secret-0123456789abcdef0123";
export const webhookSecret = "test-webhook-secret-0123456789abcdef";
const adminToken = "test-admin-token";

export type Fault = "none" | "error500" | "garbage" | "hang" | "slow";

export class Backend {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** What the collaboration server needs to know of this backend. */
  get serverEnv(): Record<string, string> {
    return { AUTH_WEBHOOK_URL: `${this.url}/collab/authorize`, AUTH_WEBHOOK_SECRET: webhookSecret };
  }

  async login(user: string): Promise<string> {
    const { token } = (await this.#call("POST", "/auth/login", { user })) as { token: string };
    return token;
  }

  async grant(room: string, user: string, access: "read" | "write"): Promise<void> {
    await this.#call("PUT", `/rooms/${room}/rights/${user}`, { access });
  }

  async withdraw(room: string, user: string): Promise<void> {
    await this.#call("DELETE", `/rooms/${room}/rights/${user}`);
  }

  async signOut(user: string): Promise<void> {
    await this.#call("POST", `/people/${user}/sign-out`);
  }

  async fault(mode: Fault, slowMs = 500): Promise<void> {
    await this.#call("PUT", "/faults", { mode, slowMs });
  }

  async calls(): Promise<{ calls: number; maxInFlight: number }> {
    return (await this.#call("GET", "/faults/calls")) as { calls: number; maxInFlight: number };
  }

  async resetCalls(): Promise<void> {
    await this.#call("DELETE", "/faults/calls");
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${adminToken}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }
}

export async function startBackend(env: Readonly<Record<string, string>> = {}): Promise<Backend> {
  const root = fileURLToPath(new URL("../../examples/backend/", import.meta.url));
  const child = spawn(process.execPath, ["dist/main.js"], {
    cwd: root,
    env: {
      ...inherited,
      PORT: "0",
      HOST: "127.0.0.1",
      JWT_SECRET: jwtSecret,
      AUTH_WEBHOOK_SECRET: webhookSecret,
      ADMIN_TOKEN: adminToken,
      DEMO_FAULTS: "1",
      ...env,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null) await once(child, "close");
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /listening on (\S+)/.exec(line)?.[1];
    if (url) {
      child.stdout.resume();
      return new Backend(url);
    }
  }
  throw new Error("The backend ended before it listened");
}
