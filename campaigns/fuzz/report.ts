/** What a fuzz campaign prints. */
import type { CampaignReport } from "./campaign.ts";
import type { LeakReport } from "./room-openings.ts";

export function renderReport({ sessions, ends, bystanders, problems }: CampaignReport): string {
  const codes = [...ends.byCode]
    .toSorted(([a], [b]) => a - b)
    .map(([code, count]) => `${code}: ${count}`)
    .join(", ");
  return [
    `${ends.messages} messages in ${sessions} sessions; closed with ${codes}`,
    ...bystanders.map(
      ({ room, saved, lost, slowestMs }) =>
        `bystander in ${room}: ${saved} edits saved, ${lost.length} LOST, slowest ack ${slowestMs.toFixed(0)} ms`,
    ),
    ...problems,
  ].join("\n");
}

export function renderLeaks(report: LeakReport): string {
  const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  return (
    `${report.rooms} rooms opened and left: heap ${megabytes(report.heapBytesBefore)} → ` +
    `${megabytes(report.heapBytesAfter)} MB, timers ${report.timersBefore} → ${report.timersAfter}`
  );
}
