/**
 * `npm run fuzz`: damaged messages over real sockets, and rooms by the thousand. Exit code 1 if the server ends, a bystander loses
 * something that it was told is saved or is put out, or memory stays.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { beginRun, say, whole } from "../command-line.ts";
import { createDatabase } from "../database.ts";
import { runCampaign } from "./campaign.ts";
import { renderLeaks, renderReport } from "./report.ts";
import { openRooms } from "./room-openings.ts";

const USAGE = `node campaigns/fuzz/run.ts [options]
  --messages N   at least so many damaged messages (100000); 0 leaves this part out
  --rooms N      so many rooms opened and left (20000); 0 leaves this part out
  --seed N       repeats the draws of a run (random)`;
/** Heap that may come in addition: 20,000 rooms that stayed would be 200 MB. */
const TOLERATED_BYTES = 5 * 1024 * 1024;

await main();

async function main(): Promise<void> {
  const options = beginRun({ usage: USAGE, parse: parseOptions });
  if (options === null) return;
  const startedAt = performance.now();
  if (options.messages > 0) {
    say(`${options.messages} messages, --seed ${options.seed}`);
    const database = await createDatabase("sqlite");
    const report = await runCampaign({ ...options, database });
    await database.remove();
    say(renderReport(report));
    if (report.problems.length > 0 || report.bystanders.some(({ lost }) => lost.length > 0))
      process.exitCode = 1;
  }
  if (options.rooms > 0) {
    const leaks = await openRooms(options.rooms, (opened) => say(`${opened} rooms`));
    say(renderLeaks(leaks));
    const grown = leaks.heapBytesAfter - leaks.heapBytesBefore > TOLERATED_BYTES;
    if (grown || leaks.timersAfter > leaks.timersBefore) process.exitCode = 1;
  }
  say(`${Math.round((performance.now() - startedAt) / 1000)} s`);
}

function parseOptions(args: string[]): { messages: number; rooms: number; seed: number } | null {
  const { values } = parseArgs({
    args,
    options: {
      messages: { type: "string", default: "100000" },
      rooms: { type: "string", default: "20000" },
      seed: { type: "string", default: `${randomInt(1, 2 ** 31)}` },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    messages: whole("messages", values.messages, { least: 0 }),
    rooms: whole("rooms", values.rooms, { least: 0 }),
    seed: whole("seed", values.seed),
  };
}
