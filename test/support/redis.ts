/** A real Redis for one test file: started before its tests, emptied before each, gone after them. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { findRedis } from "./redis-binary.ts";
import { until } from "./until.ts";

const binary = findRedis();

export interface TestRedis {
  readonly url: string;
  /** A connection beside the code under test. */
  readonly client: Redis;
  start(): Promise<void>;
  /** It forgets everything. */
  stop(): Promise<void>;
  /** Connections stay open, nothing answers. */
  freeze(): void;
  thaw(): void;
}

/** Around the tests of a file that need one. Where there is none they are skipped, but not where CI is set: nobody would notice there. */
export function describeWithRedis(name: string, tests: (redis: TestRedis) => void): void {
  if (!binary && process.env["CI"])
    throw new Error("No redis-server on PATH, and Debian's cannot be fetched");
  if (!binary) process.stderr.write(`SKIPPED, no redis-server: ${name}\n`);
  describe.skipIf(!binary)(name, () => tests(useRedis()));
}

function useRedis(): TestRedis {
  let port = 0;
  let child: ChildProcess | null = null;
  let client: Redis | null = null;

  const redis: TestRedis = {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get client() {
      if (!client) throw new Error("Redis is not running");
      return client;
    },
    async start() {
      if (child || !binary) return;
      port ||= await freePort();
      const options = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
      child = spawn(binary.path, options, { env: { ...process.env, ...binary.env }, stdio: "ignore" });
      client = new Redis(redis.url, { retryStrategy: () => 50 });
      client.on("error", () => {});
      await until("Redis answers", async () => (await client?.ping()) === "PONG");
    },
    async stop() {
      const ending = child;
      if (!ending) return;
      child = null;
      client?.disconnect();
      ending.kill("SIGKILL");
      await once(ending, "exit");
    },
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
  };

  beforeAll(() => redis.start());
  // Whatever a test left it in, the next one has it running.
  beforeEach(async () => {
    redis.thaw();
    await redis.start();
    await redis.client.flushall();
  });
  afterAll(() => redis.stop());
  return redis;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
