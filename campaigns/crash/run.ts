/**
 * `npm run crash`: saved means saved. Real servers are killed while real clients write, and whatever a client was told is saved has to be
 * there for a fresh reader of the next server. Exit code 1 if anything is not.
 */
import { runCampaign } from "./campaign.ts";
import { beginRun, say } from "../command-line.ts";
import { createDatabase, foreignDatabase } from "../database.ts";
import { parseOptions, USAGE } from "./options.ts";
import { renderProgress, renderReport } from "./report.ts";

const PROGRESS_EVERY_MS = 5000;

await main();

async function main(): Promise<void> {
  const options = beginRun({ usage: USAGE, parse: parseOptions });
  if (options === null) return;
  const { store, databaseUrl, faults, seed, kills, edits } = options;
  say(`${store}, ${faults.join(" and ")}: ${kills} faults, ${edits} edits, --seed ${seed}`);
  const startedAt = performance.now();
  const database = databaseUrl === null ? await createDatabase(store) : foreignDatabase(databaseUrl);
  try {
    let saidAt = startedAt;
    const report = await runCampaign({
      ...options,
      database,
      onRound: (progress) => {
        if (performance.now() - saidAt < PROGRESS_EVERY_MS) return;
        saidAt = performance.now();
        say(renderProgress(progress));
      },
    });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    say(`\n${renderReport(store, report)}\n\n${seconds} s, --seed ${seed}`);
    process.exitCode = report.lost.length > 0 || report.problems.length > 0 ? 1 : 0;
  } finally {
    await database.remove();
  }
}
