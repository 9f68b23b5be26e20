/** `npm run doctor`: is everything that is stored readable? */
import { openRepair, openSurvey } from "../storage/open-survey.ts";
import { EXIT_CODES_HELP, runCommand } from "./command.ts";
import { complaints, diagnose, problemText, type Diagnosis } from "./diagnosis.ts";
import { Progress } from "./progress.ts";
import { bytesText, roomText, timeText } from "./wording.ts";

const EXIT_PROBLEMS = 1;
const EXIT_NOT_OPENED = 2;

const help = `
Looks at every room of the store, while the server runs or not: the database's own integrity check, whether each snapshot
and each journal row decodes and is what was written, and what is in the quarantine. Changes nothing without --repair.

  npm run doctor [-- --repair] [-- --json] [-- --database URL]

  --repair        move unreadable journal rows and snapshots to the quarantine, so that their rooms load with what is left.
                  Their content is then missing from the rooms: look for a backup first. Not done where the database itself
                  is damaged
  --json          the report as one JSON object
  --database URL  instead of DATABASE_URL

Exit codes:
   0  all is well, or all that was wrong has been repaired
   1  problems were found
   2  the store could not be opened or read
${EXIT_CODES_HELP}
`;

await runCommand({
  help,
  argument: null,
  failureCode: EXIT_NOT_OPENED,
  options: {
    repair: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
  run: async ({ values: { repair, json }, databaseUrl }) => {
    const survey = await openSurvey(databaseUrl);
    const progress = new Progress({ label: "Examining", unit: "rooms" });
    try {
      const diagnosis = await diagnose({
        survey,
        openRepair: repair ? () => openRepair(databaseUrl) : undefined,
        onProgress: (done, total) => progress.update(done, total),
      });
      progress.end();
      const isWell = complaints(diagnosis).length === 0;
      const report = json ? JSON.stringify({ isWell, ...diagnosis }) : reportOf(diagnosis);
      process.stdout.write(`${report}\n`);
      if (!isWell) process.stderr.write(`${advice(diagnosis)}\n`);
      return isWell ? 0 : EXIT_PROBLEMS;
    } finally {
      progress.end();
      await survey.close();
    }
  },
});

function reportOf(diagnosis: Diagnosis): string {
  const { place, rooms, snapshotBytes, journalRows, journalBytes, lastEdit, lastWrittenAt } = diagnosis;
  const { largest, quarantine, incomplete, problems, integrity } = diagnosis;
  return [
    `Store        ${place}, last written ${timeText(lastWrittenAt)}`,
    `Rooms        ${rooms}`,
    `Snapshots    ${bytesText(snapshotBytes)}`,
    `Journal      ${journalRows} rows, ${bytesText(journalBytes)}${
      lastEdit ? `, last ${timeText(lastEdit.at)} in ${roomText(lastEdit.room)}` : ""
    }`,
    `Largest      ${largest.map(({ room, bytes }) => `${roomText(room)} ${bytesText(bytes)}`).join(", ") || "-"}`,
    `Incomplete   ${incomplete.length} rooms with edits that wait for others which are not stored`,
    ...incomplete.map((room) => `  ${roomText(room)}`),
    `Quarantine   ${quarantine.length} rows`,
    ...quarantine.map(
      ({ seq, room, reason, bytes, at, author, setAsideAt }) =>
        `  ${roomText(room)}: ${seq}: ${reason}; ${bytes} bytes of ${timeText(at)} by ${roomText(author)}, set aside ${timeText(setAsideAt)}`,
    ),
    `Problems     ${integrity.length + problems.length}`,
    ...integrity.map((line) => `  database: ${line}`),
    ...problems.map((problem) => `  ${problemText(problem)}`),
  ].join("\n");
}

function advice({ integrity }: Diagnosis): string {
  if (integrity.length > 0) {
    return "The database itself is damaged: keep a copy of its files, and restore the last good backup.";
  }
  return "Keep a backup of this state, compare with the last good backup; `npm run doctor -- --repair` opens the rooms without what is unreadable.";
}
