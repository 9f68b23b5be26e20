/** What a campaign prints. */
import type { CampaignReport, Progress } from "./campaign.ts";

/** Lost edits that are named; the number says the rest. */
const NAMED_LOSSES = 20;

const COLUMNS =
  "store,fault,faults,sent,acknowledged,found,LOST,unacknowledged,of these found,recovery p50,max,healed p50,max".split(
    ",",
  );

export function renderProgress({ round, plan, acknowledged, lost }: Progress): string {
  return `round ${round}: ${plan.fault} at ${plan.moment.at}; ${acknowledged} edits acknowledged, ${lost} lost`;
}

/**
 * Recovery: from the start of the next server's process to its first reader with a whole room. Healed: from the death of something inside
 * a server to the acknowledgement of everything that was on its way.
 */
export function renderReport(store: string, { faults, lost, problems }: CampaignReport): string {
  const rows = faults.map((row) => [
    store,
    row.fault,
    ...[row.kills, row.sent, row.acknowledged, row.found, row.lost].map(String),
    ...[row.unacknowledged, row.unacknowledgedFound].map(String),
    ...spread(row.recoveryMs),
    ...spread(row.healedMs),
  ]);
  const widths = COLUMNS.map((_, column) =>
    Math.max(...[COLUMNS, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  return [
    line(COLUMNS),
    ...rows.map((row) => line(row)),
    ...lost.slice(0, NAMED_LOSSES).map((edit) => `LOST ${edit}`),
    ...(lost.length > NAMED_LOSSES ? [`… and ${lost.length - NAMED_LOSSES} more`] : []),
    ...problems.map((problem) => `PROBLEM ${problem}`),
  ].join("\n");
}

function spread(samples: readonly number[]): [string, string] {
  if (samples.length === 0) return ["-", "-"];
  const sorted = samples.toSorted((a, b) => a - b);
  const show = (ms: number | undefined): string => `${Math.round(ms ?? 0)} ms`;
  return [show(sorted[Math.floor((sorted.length - 1) / 2)]), show(sorted.at(-1))];
}
