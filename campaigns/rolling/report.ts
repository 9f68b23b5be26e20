/** What a rolling restart prints. */
import type { CampaignReport } from "./campaign.ts";
import type { Absence } from "./member.ts";

const BUCKET_MS = 250;
const HERD_MS = 100;
const LONGEST_BAR = 50;
/** Lost edits that are named; the number says the rest. */
const NAMED = 20;

const durationMs = ({ from, to }: Absence): number => to - from;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

export function longestMs(absences: readonly Absence[]): number {
  return absences.reduce((longest, absence) => Math.max(longest, durationMs(absence)), 0);
}

export function renderReport(report: CampaignReport): string {
  const { absences, failedAttempts, missing, written, acknowledged, lost, unsaved } = report;
  const sorted = absences.map(durationMs).toSorted((a, b) => a - b);
  const rank = (share: number): string =>
    seconds(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
  return [
    `${absences.length} absences: p50 ${rank(0.5)}, p99 ${rank(0.99)}, longest ${rank(1)}; ${failedAttempts} attempts failed; ${missing} clients not back`,
    ...histogram(sorted),
    `most back within ${HERD_MS} ms: ${herd(absences)}`,
    `restarts: ${report.restartsMs.map(seconds).join(", ")}`,
    `${written} edits written, ${acknowledged} acknowledged; ${lost.length} of these LOST; ${unsaved.length} not saved in the end`,
    ...lost.slice(0, NAMED).map((edit) => `LOST ${edit}`),
    ...report.problems.map((problem) => `PROBLEM ${problem}`),
  ].join("\n");
}

function histogram(sorted: readonly number[]): string[] {
  const counts = new Map<number, number>();
  for (const ms of sorted) {
    const bucket = Math.floor(ms / BUCKET_MS);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  const last = Math.max(...counts.keys());
  return Array.from({ length: last + 1 }, (_, bucket) => {
    const count = counts.get(bucket) ?? 0;
    const bar = "█".repeat(Math.ceil((count / most) * LONGEST_BAR));
    return `  from ${seconds(bucket * BUCKET_MS)}  ${String(count).padStart(6)}  ${bar}`;
  }).filter((_, bucket) => counts.size > 0 && bucket * BUCKET_MS >= (sorted[0] ?? 0) - BUCKET_MS);
}

/** The most clients that were back within any tenth of a second. */
function herd(absences: readonly Absence[]): number {
  const times = absences.map(({ to }) => to).toSorted((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [last, time] of times.entries()) {
    while (time - (times[first] ?? time) >= HERD_MS) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
