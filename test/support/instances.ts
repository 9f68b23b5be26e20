/** Several real servers with one store and one Redis. */
import { tempDatabase } from "./temp-dir.ts";
import { startProcess, type ServerProcess } from "./server-process.ts";
import { namedUsers } from "./presence.ts";
import type { TestRedis } from "./redis.ts";
import { until } from "./until.ts";

export interface Cluster {
  readonly env: Readonly<Record<string, string>>;
  readonly path: string;
  readonly databaseUrl: string;
  readonly servers: readonly [ServerProcess, ServerProcess];
}

export function clusterEnv(redis: TestRedis, databaseUrl: string): Readonly<Record<string, string>> {
  return { REDIS_URL: redis.url, DATABASE_URL: databaseUrl, LOG_LEVEL: "debug", ...namedUsers };
}

/** Two instances that have heard of each other. */
export async function startCluster(
  redis: TestRedis,
  env: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const { path, url } = tempDatabase();
  const all = { ...clusterEnv(redis, url), ...env };
  const servers = [await startProcess(all), await startProcess(all)] as const;
  await acquainted(...servers);
  return { env: all, path, databaseUrl: url, servers };
}

export async function acquainted(...servers: readonly ServerProcess[]): Promise<void> {
  for (const server of servers)
    await until(
      "the other instance heard",
      () => server.events("instance").filter(({ is }) => is === "there").length >= servers.length - 1,
    );
}

/** Waits for the next line of this state behind the first `seen` ones. */
export async function redisState(
  server: ServerProcess,
  state: "up" | "down",
  { seen = 0, timeoutMs = 10_000 }: { readonly seen?: number; readonly timeoutMs?: number } = {},
): Promise<void> {
  await until(
    `Redis ${state}; so far ${JSON.stringify(server.events("redis").map(({ redis }) => redis))}`,
    () =>
      server
        .events("redis")
        .slice(seen)
        .some(({ redis }) => redis === state),
    { timeoutMs },
  );
}

/** Resolves when so many more heartbeats of any instance were heard. */
export async function heartbeats(redis: TestRedis, count: number): Promise<void> {
  const listener = redis.client.duplicate();
  let heard = 0;
  listener.on("message", () => heard++);
  await listener.subscribe("righttask#instances");
  await until(`${count} heartbeats`, () => heard >= count, { timeoutMs: 20_000 });
  listener.disconnect();
}
