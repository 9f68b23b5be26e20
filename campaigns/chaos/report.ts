/** What a campaign prints. */
import { describeStep, type CampaignReport, type Progress } from "./campaign.ts";

/** Lost edits that are named; the number says the rest. */
const NAMED_LOSSES = 20;

export function renderProgress({ step, struck, acknowledged, lost }: Progress): string {
  return `${struck} faults: ${describeStep(step)}; ${acknowledged} edits acknowledged, ${lost} lost`;
}

export function renderReport(report: CampaignReport): string {
  const { rooms, faults, looks, slowestAckMs, longestWithoutAckMs, lost, problems } = report;
  const struck = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...faults].map(([fault, count]) => `${fault} ${count}`).join(", ");
  return [
    `${struck} faults: ${kinds}`,
    "",
    row(["room", "sent", "acknowledged", "found", "LOST"]),
    ...rooms.map(({ room, sent, acknowledged, found, lost: missing }) =>
      row([room, sent, acknowledged, found, missing]),
    ),
    "",
    `the same for all people after a last fault: ${spread(looks.map(({ peopleMs }) => peopleMs))}`,
    `the same in the store as well: ${spread(looks.map(({ storeMs }) => storeMs))}`,
    `slowest ack of an edit ${seconds(slowestAckMs)}, longest time without any ${seconds(longestWithoutAckMs)}`,
    ...lost.slice(0, NAMED_LOSSES).map((what) => `LOST ${what}`),
    ...(lost.length > NAMED_LOSSES ? [`… and ${lost.length - NAMED_LOSSES} more`] : []),
    ...problems.map((problem) => `PROBLEM ${problem}`),
  ].join("\n");
}

function row([name, ...figures]: readonly (string | number)[]): string {
  return `${name}`.padEnd(10) + figures.map((figure) => `${figure}`.padStart(14)).join("");
}

function spread(samples: readonly number[]): string {
  const sorted = samples.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  return `median ${seconds(median)}, longest ${seconds(sorted.at(-1))}, of ${samples.length} looks`;
}

function seconds(ms = Number.NaN): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
