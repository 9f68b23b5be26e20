/** What a scenario runs against: one server, or several on one database file with a Redis between them. */
import { startRedis } from "./redis.ts";
import type { RedisProcess } from "../test/support/redis-process.ts";
import { type PeerName, type RunningServer, startServer } from "./servers.ts";

export interface Deployment {
  servers: RunningServer[];
  /** Null where there is one server. */
  redis: RedisProcess | null;
  stop(): Promise<void>;
}

export interface DeploymentOptions {
  instances: number;
  database: string;
  isInspected: boolean;
}

export async function startDeployment(
  peer: PeerName,
  { instances, database, isInspected }: DeploymentOptions,
): Promise<Deployment> {
  const redis = instances > 1 ? await startRedis() : null;
  const servers: RunningServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(async (server) => server.stop()));
    await redis?.stop();
  };
  try {
    for (let n = 0; n < instances; n += 1) {
      // One after the other: a stock server makes its table as it starts, and two at once find the file locked.
      // oxlint-disable-next-line no-await-in-loop
      servers.push(await startServer(peer, { database, redisUrl: redis?.url ?? null, isInspected }));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, redis, stop };
}
