/** Every room of a store looked at once: what is there, and what is wrong. */
import { examine } from "../storage/room-examination.ts";
import type { QuarantinedRow, StoreRepair, StoreSurvey, SurveyedRoom } from "../storage/store-survey.ts";

const LARGEST_SHOWN = 5;

/** Of a room that is listed. */
const NOTHING_FOUND = "nothing can be read under this name";

export interface Problem {
  readonly room: string;
  readonly part: "snapshot" | "journal row" | "room";
  /** Of the journal row; null for the others. */
  readonly seq: number | null;
  readonly reason: string;
  /** Moved to the quarantine just now. */
  readonly isRepaired: boolean;
}

export interface Diagnosis {
  readonly place: string;
  /** What the database finds wrong with itself. */
  readonly integrity: readonly string[];
  readonly rooms: number;
  readonly snapshotBytes: number;
  readonly journalRows: number;
  readonly journalBytes: number;
  readonly largest: readonly { readonly room: string; readonly bytes: number }[];
  /** The newest journal row; null when all journals are merged. */
  readonly lastEdit: { readonly room: string; readonly at: number } | null;
  readonly lastWrittenAt: number | null;
  readonly problems: readonly Problem[];
  /** Rooms with edits that wait for others which are not there. */
  readonly incomplete: readonly string[];
  readonly quarantine: readonly (Omit<QuarantinedRow, "data" | "sum"> & { readonly bytes: number })[];
}

export interface DiagnoseOptions {
  readonly survey: StoreSurvey;
  /** Where given, what is unreadable is moved, room by room as it is found. Not where the database itself is broken. */
  readonly openRepair?: (() => Promise<StoreRepair>) | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export async function diagnose({
  survey,
  openRepair,
  onProgress = () => {},
}: DiagnoseOptions): Promise<Diagnosis> {
  const integrity = await survey.integrityProblems();
  const total = await survey.countRooms();
  const repair = openRepair && integrity.length === 0 ? await openRepair() : null;
  const found = { rooms: 0, snapshotBytes: 0, journalRows: 0, journalBytes: 0 };
  const problems: Problem[] = [];
  const incomplete: string[] = [];
  let largest: Diagnosis["largest"] = [];
  let lastEdit: Diagnosis["lastEdit"] = null;
  try {
    for await (const name of survey.roomNames()) {
      onProgress(found.rooms++, total);
      let room: SurveyedRoom;
      try {
        room = await survey.room(name);
      } catch (error) {
        problems.push({ ...wholeRoom(name), reason: messageOf(error) });
        continue;
      }
      // Rooms are never deleted: its name holds bytes that are no characters, or its data is none.
      if (!room.snapshot && room.rows.length === 0)
        problems.push({ ...wholeRoom(name), reason: NOTHING_FOUND });
      const journalBytes = room.rows.reduce((sum, { data }) => sum + data.byteLength, 0);
      const snapshotBytes = room.snapshot?.byteLength ?? 0;
      found.snapshotBytes += snapshotBytes;
      found.journalRows += room.rows.length;
      found.journalBytes += journalBytes;
      largest = [...largest, { room: name, bytes: snapshotBytes + journalBytes }]
        .toSorted((a, b) => b.bytes - a.bytes)
        .slice(0, LARGEST_SHOWN);
      const at = Math.max(0, ...room.rows.slice(-1).map((row) => row.at));
      if (at > (lastEdit?.at ?? 0)) lastEdit = { room: name, at };
      const outcome = await lookInto(room, repair);
      problems.push(...outcome.problems);
      if (outcome.isIncomplete) incomplete.push(name);
    }
  } finally {
    await repair?.close();
  }
  const { place, lastWrittenAt } = survey;
  const quarantine: Diagnosis["quarantine"][number][] = [];
  for await (const { data, sum: _, ...row } of survey.quarantine()) {
    quarantine.push({ ...row, bytes: data.byteLength });
  }
  return { place, integrity, ...found, largest, lastEdit, lastWrittenAt, problems, incomplete, quarantine };
}

async function lookInto(
  room: SurveyedRoom,
  repair: StoreRepair | null,
): Promise<{ readonly problems: readonly Problem[]; readonly isIncomplete: boolean }> {
  const { document, snapshotFault, unreadable, isIncomplete } = examine(room);
  const { name, snapshot } = room;
  document.destroy();
  const faults = unreadable.length + (snapshotFault === null ? 0 : 1);
  const moved =
    repair && faults > 0
      ? await repair.setAside({
          room: name,
          rows: unreadable,
          snapshot: snapshot && snapshotFault !== null ? { data: snapshot, reason: snapshotFault } : null,
        })
      : 0;
  // What somebody has changed since it was looked at is not moved, and may be as bad.
  const common = { room: name, isRepaired: faults > 0 && moved === faults };
  const problems: Problem[] = unreadable.map((row) => ({ ...common, part: "journal row", ...row }));
  if (snapshotFault !== null)
    problems.unshift({ ...common, part: "snapshot", seq: null, reason: snapshotFault });
  return { problems, isIncomplete };
}

function wholeRoom(room: string): Omit<Problem, "reason"> {
  return { room, part: "room", seq: null, isRepaired: false };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is still wrong, one line each. */
export function complaints({ integrity, problems }: Pick<Diagnosis, "integrity" | "problems">): string[] {
  return [
    ...integrity.map((line) => `database: ${line}`),
    ...problems.filter(({ isRepaired }) => !isRepaired).map(problemText),
  ];
}

export function problemText({ room, part, seq, reason, isRepaired }: Problem): string {
  const number = seq === null ? "" : ` ${seq}`;
  return `${JSON.stringify(room)}: ${part}${number}: ${reason}${isRepaired ? " (moved to the quarantine)" : ""}`;
}
