/**
 * `npm run chaos`: several instances, and everything between and under them fails. Exit code 1 if an acknowledged edit or deletion is lost,
 * people of a room have different documents or do not see exactly each other, the store has another document, an instance ends by itself, or
 * a stop takes too long.
 */
import { findRedis } from "../../test/support/redis-binary.ts";
import { RedisProcess } from "../../test/support/redis-process.ts";
import { beginRun, say } from "../command-line.ts";
import { runCampaign } from "./campaign.ts";
import { planFaults } from "./fault-plan.ts";
import { parseOptions, USAGE } from "./options.ts";
import { renderProgress, renderReport } from "./report.ts";

await main();

async function main(): Promise<void> {
  const options = beginRun({ usage: USAGE, parse: parseOptions });
  if (options === null) return;
  const binary = findRedis();
  if ("missing" in binary) throw new Error(binary.missing);
  say(`${options.count} faults, ${options.instances} instances, --seed ${options.seed}`);
  const startedAt = performance.now();
  const elapsed = (): string => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  const report = await runCampaign({
    ...options,
    redis: new RedisProcess(binary),
    plan: planFaults(options),
    onStep: (progress) => say(`${elapsed()}  ${renderProgress(progress)}`),
  });
  say(`\n${renderReport(report)}\n\n${elapsed()}, --seed ${options.seed}`);
  process.exitCode = report.lost.length > 0 || report.problems.length > 0 ? 1 : 0;
}
