/**
 * `npm run bench`: this server beside stock Hocuspocus and y-websocket, in turns within one run. README.md says how
 * to read what it prints.
 */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { beginRun } from "../campaigns/command-line.ts";
import { measureFsyncMs } from "./fsync.ts";
import { type Measurement, measure } from "./measurement.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { renderProgress, renderReport } from "./report.ts";

const RESULTS = join(import.meta.dirname, "results");

await main();

async function main(): Promise<void> {
  const options = beginRun({ usage: USAGE, parse: parseOptions });
  if (options === null) return;
  const startedAt = new Date();
  const header = describeRun(startedAt, options);
  const measurements = await runRounds(options);
  const report = renderReport(measurements, header);
  await mkdir(RESULTS, { recursive: true });
  const file = join(RESULTS, `${startedAt.toISOString().replaceAll(":", "-")}.md`);
  await writeFile(file, `${report}\n`);
  console.log(`\n${report}\n\nWritten to ${file}`);
}

/** A B C A B C, not A A B B C C: an hour in which the machine is slow then slows all of them. */
async function runRounds({ rounds, scenarios, only, ...options }: Options): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const scenario of scenarios) {
      for (const peer of only) {
        // One after the other is the whole idea.
        // oxlint-disable-next-line no-await-in-loop
        const measurement = await measure({ ...options, peer, scenario, round });
        measurements.push(measurement);
        console.log(renderProgress(measurement));
      }
    }
  }
  return measurements;
}

function describeRun(startedAt: Date, { isCheck }: Options): string[] {
  const isDirty = git("status", "--porcelain") !== "";
  const processors = cpus();
  return [
    ...(isCheck ? ["a check of the harness: these figures are of cold servers and mean nothing"] : []),
    `repeat: \`${["npm run bench --", ...process.argv.slice(2)].join(" ")}\``,
    `commit ${git("rev-parse", "--short", "HEAD")}${isDirty ? " with uncommitted changes" : ""}`,
    `${startedAt.toISOString()}, node ${process.version}, ${processors.length} × ${processors[0]?.model ?? "unknown CPU"}`,
    `fsync of 4 kB in ${tmpdir()}: median ${measureFsyncMs().toFixed(2)} ms`,
    `load average before the run: ${loadavg()[0]?.toFixed(2)}`,
  ];
}

function git(...args: string[]): string {
  return execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname }).trim();
}
