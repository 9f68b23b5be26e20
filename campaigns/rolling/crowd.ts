/**
 * A part of the clients, in a process of its own: forked by the campaign, it says when all are inside, writes until it is told to stop,
 * and reports when everybody is inside and saved again.
 */
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import { Member, type Absence, type Edit } from "./member.ts";

export interface CrowdOptions {
  readonly url: string;
  /** Of this part of the clients. */
  readonly clients: readonly { readonly name: string; readonly room: string; readonly writes: boolean }[];
  /** Of each writer. */
  readonly editEveryMs: number;
}

export interface CrowdReport {
  readonly absences: readonly Absence[];
  readonly failedAttempts: number;
  readonly edits: readonly Edit[];
  /** Clients that were not back in a minute. */
  readonly missing: number;
}

export type CrowdMessage =
  | { readonly event: "inside" }
  | { readonly event: "done"; readonly report: CrowdReport }
  | { readonly event: "failed"; readonly reason: string };

/** So that the first entrance is no herd. */
const ENTER_EVERY_MS = 10;
const PATIENCE = { timeoutMs: 60_000 };

// It never outlives the campaign.
process.once("disconnect", () => process.exit());
try {
  await main(JSON.parse(process.argv[2] ?? "null") as CrowdOptions);
} catch (error) {
  tell({ event: "failed", reason: error instanceof Error ? error.message : String(error) });
}

async function main({ url, clients, editEveryMs }: CrowdOptions): Promise<void> {
  const members: Member[] = [];
  const writers: Member[] = [];
  for (const { name, room, writes } of clients) {
    const member = new Member({ url, room, name });
    members.push(member);
    if (writes) writers.push(member);
    await delay(ENTER_EVERY_MS);
  }
  await allSaved(members);
  tell({ event: "inside" });

  let turn = 0;
  const writing = setInterval(() => writers[turn++ % writers.length]?.write(), editEveryMs / writers.length);
  process.once("message", () => void finish());

  async function finish(): Promise<void> {
    clearInterval(writing);
    // What never comes is part of the report.
    await allSaved(members).catch(() => {});
    const report = {
      absences: members.flatMap(({ absences }) => absences),
      failedAttempts: members.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0),
      edits: writers.flatMap(({ edits }) => edits),
      missing: members.filter(({ isInside }) => !isInside).length,
    };
    for (const member of members) member.leave();
    tell({ event: "done", report });
  }
}

async function allSaved(members: readonly Member[]): Promise<void> {
  const inside = (): boolean => members.every(({ isSaved }) => isSaved);
  await until("all clients inside, and all they wrote saved", inside, PATIENCE);
}

function tell(message: CrowdMessage): void {
  process.send?.(message);
}
