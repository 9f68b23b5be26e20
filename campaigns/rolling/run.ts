/**
 * `npm run rolling`: a deploy that nobody notices. Instances are restarted one after the other while a thousand clients are in their rooms
 * and some of them write. Exit code 1 if something acknowledged is lost, somebody was away longer than the limit, or did not come back.
 */
import { findRedis } from "../../test/support/redis-binary.ts";
import { RedisProcess } from "../../test/support/redis-process.ts";
import { beginRun, say } from "../command-line.ts";
import { createDatabase } from "../database.ts";
import { runCampaign } from "./campaign.ts";
import { parseOptions, USAGE } from "./options.ts";
import { longestMs, renderReport } from "./report.ts";

/** Processes of clients: one would be late by itself. */
const CROWDS = 2;

await main();

async function main(): Promise<void> {
  const options = beginRun({ usage: USAGE, parse: parseOptions });
  if (options === null) return;
  const { instances, clients, rooms, writers, store, limitSeconds } = options;
  const binary = findRedis();
  if ("missing" in binary) throw new Error(binary.missing);
  const startedAt = performance.now();
  const redis = new RedisProcess(binary);
  await redis.start();
  const database = await createDatabase(store);
  try {
    say(`${instances} instances on ${store}; ${clients} clients in ${rooms} rooms, ${writers} of them write`);
    const report = await runCampaign({
      ...options,
      database,
      redisUrl: redis.url,
      crowds: CROWDS,
      onProgress: say,
    });
    say(`\n${renderReport(report)}\n\n${Math.round((performance.now() - startedAt) / 1000)} s`);
    const tooLong = longestMs(report.absences) > limitSeconds * 1000;
    if (tooLong) say(`Somebody was away longer than ${limitSeconds} s`);
    const { lost, unsaved, missing, problems } = report;
    if (tooLong || missing > 0 || lost.length + unsaved.length + problems.length > 0) process.exitCode = 1;
  } finally {
    await database.remove();
    await redis.stop();
  }
}
