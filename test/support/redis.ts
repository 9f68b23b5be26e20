/** A real Redis for one test file: started before its tests, emptied before each, gone after them. */
import { afterAll, beforeAll, beforeEach } from "vitest";
import { describeWithBinary } from "./describe-with-binary.ts";
import { findRedis } from "./redis-binary.ts";
import { RedisProcess } from "./redis-process.ts";

export type TestRedis = Pick<RedisProcess, "port" | "url" | "client" | "start" | "stop" | "freeze" | "thaw">;

/** Around the tests of a file that need one. */
export function describeWithRedis(name: string, tests: (redis: TestRedis) => void): void {
  describeWithBinary(findRedis(), name, (binary) => tests(useRedis(new RedisProcess(binary))));
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
