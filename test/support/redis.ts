/** A real Redis for one test file: started before its tests, emptied before each, gone after them. */
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { findRedis } from "./redis-binary.ts";
import { RedisProcess } from "./redis-process.ts";

export type TestRedis = Pick<RedisProcess, "port" | "url" | "client" | "start" | "stop" | "freeze" | "thaw">;

/** Around the tests of a file that need one. Where there is none they are skipped, but not where CI is set: nobody would notice there. */
export function describeWithRedis(name: string, tests: (redis: TestRedis) => void): void {
  const binary = findRedis();
  if (!binary && process.env["CI"])
    throw new Error("No redis-server on PATH, and Debian's cannot be fetched");
  if (!binary) process.stderr.write(`SKIPPED, no redis-server: ${name}\n`);
  describe.skipIf(!binary)(name, () =>
    tests(useRedis(new RedisProcess(binary ?? { path: "redis-server", env: {} }))),
  );
}

function useRedis(redis: RedisProcess): TestRedis {
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
