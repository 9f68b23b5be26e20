/** What a rolling restart prints. */
import type { CampaignReport } from "./campaign.ts";
import type { Absence } from "./member.ts";

/** Of a line of the histogram: the first that makes no more than so many. */
const BUCKETS_MS = [250, 500, 1000, 2000, 5000];
const MOST_LINES = 20;
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
  const [shortest, longest] = [sorted[0], sorted.at(-1)];
  if (shortest === undefined || longest === undefined) return [];
  const bucketMs = BUCKETS_MS.find((ms) => (longest - shortest) / ms < MOST_LINES) ?? longest;
  const first = Math.floor(shortest / bucketMs);
  const counts = Array.from({ length: Math.floor(longest / bucketMs) - first + 1 }, () => 0);
  for (const ms of sorted) counts[Math.floor(ms / bucketMs) - first]! += 1;
  const most = Math.max(...counts);
  return counts.map((count, line) => {
    const bar = "█".repeat(Math.ceil((count / most) * LONGEST_BAR));
    return `  from ${seconds((first + line) * bucketMs)}  ${String(count).padStart(6)}  ${bar}`;
  });
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
