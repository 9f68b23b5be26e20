/** A real Redis on a port of its own, which it keeps over restarts. It stores nothing on disk and never outlives this process. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { freePort } from "./free-port.ts";
import type { Binary } from "./debian-binary.ts";
import { until } from "./until.ts";

export class RedisProcess {
  readonly #binary: Binary;
  #port = 0;
  #child: ChildProcess | null = null;
  #client: Redis | null = null;

  constructor(binary: Binary) {
    this.#binary = binary;
  }

  get port(): number {
    return this.#port;
  }

  /** 0 while it is stopped. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** A connection beside the code under test. */
  get client(): Redis {
    if (!this.#client) throw new Error("Redis is not running");
    return this.#client;
  }

  async start(): Promise<void> {
    if (this.#child) return;
    this.#port ||= await freePort();
    const options = ["--port", `${this.#port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    const { path, env } = this.#binary;
    const child = spawn(path, options, { env: { ...process.env, ...env }, stdio: "ignore" });
    this.#child = child;
    const killNow = (): void => void child.kill("SIGKILL");
    process.once("exit", killNow);
    child.once("exit", () => process.off("exit", killNow));
    const client = new Redis(this.url, { retryStrategy: () => 50 });
    this.#client = client;
    client.on("error", () => {});
    await until("Redis answers", async () => (await client.ping()) === "PONG");
  }

  /** It forgets everything. */
  async stop(): Promise<void> {
    const ending = this.#child;
    if (!ending) return;
    this.#child = null;
    this.#client?.disconnect();
    ending.kill("SIGKILL");
    await once(ending, "exit");
  }

  /** Connections stay open, nothing answers. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }
}
