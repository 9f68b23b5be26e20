/** What passes through the Redis of a measurement. */
import { findRedis } from "../test/support/redis-binary.ts";
import { RedisProcess } from "../test/support/redis-process.ts";

/** Since its start, as Redis counts it itself (INFO). */
export interface RedisTraffic {
  commands: number;
  bytesIn: number;
  bytesOut: number;
}

/** One of its own. Throws an Error where there is no redis-server and Debian's cannot be fetched. */
export async function startRedis(): Promise<RedisProcess> {
  const binary = findRedis();
  if ("missing" in binary) throw new Error(binary.missing);
  const redis = new RedisProcess(binary);
  await redis.start();
  return redis;
}

export async function trafficOf({ client }: RedisProcess): Promise<RedisTraffic> {
  const info = await client.info("stats");
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1]);
  return {
    commands: field("total_commands_processed"),
    bytesIn: field("total_net_input_bytes"),
    bytesOut: field("total_net_output_bytes"),
  };
}
