/** `npm run backup -- FILE`: the whole store as one file, taken while the server runs. */
import { statSync } from "node:fs";
import { ensureNotStore, openSurvey, sqlitePathIn } from "../storage/open-survey.ts";
import { copySqliteFile } from "../storage/sqlite-copy.ts";
import { occupy, StoreBroken, type Occupation } from "../storage/sqlite-occupation.ts";
import { copySurvey } from "../storage/survey-copy.ts";
import { EXIT_CODES_HELP, runCommand } from "./command.ts";
import { ensureNoCompanions, writeThroughDraft } from "./draft-file.ts";
import { Progress } from "./progress.ts";
import { bytesText } from "./wording.ts";

const help = `
Copies the whole store into FILE as it is at one moment, while the server runs and writes. FILE is a SQLite store of its own:
the server opens it with DATABASE_URL=sqlite:FILE.

  npm run backup -- FILE [--force] [--database URL]

  --force         replace FILE if it exists and nobody has it open
  --database URL  instead of DATABASE_URL

Exit codes:
   0  FILE is complete and on the disk
   1  it failed; there is no new FILE
${EXIT_CODES_HELP}
`;

await runCommand({
  help,
  argument: "FILE",
  options: { force: { type: "boolean", default: false } },
  run: async ({ values: { force }, argument: file, databaseUrl }) => {
    const source = sqlitePathIn(databaseUrl);
    ensureNotStore(file, databaseUrl);
    // Opening says in one sentence what is wrong with a store that is none.
    const survey = await openSurvey(databaseUrl, { asOfOneMoment: true });
    let release = (): void => {};
    const progress = new Progress({ label: "Backing up", unit: source === null ? "rooms" : "pages" });
    const onProgress = (done: number, total: number): void => progress.update(done, total);
    try {
      release = makeRoomFor(file, force);
      await writeThroughDraft({
        path: file,
        force,
        write: (draft) =>
          source === null
            ? copySurvey({ survey, to: draft, onProgress })
            : copySqliteFile({ from: source, to: draft, onProgress }),
      });
    } finally {
      progress.end();
      release();
      await survey.close();
    }
    const copy = await openSurvey(`sqlite:${file}`);
    const rooms = await copy.countRooms();
    await copy.close();
    process.stdout.write(`${file}: ${rooms} rooms, ${bytesText(statSync(file).size)}\n`);
    return 0;
  },
});

/** A -wal beside FILE would be taken for the new file's, and change it. */
function makeRoomFor(file: string, force: boolean): () => void {
  const occupation = force ? occupyIfStore(file) : null;
  try {
    ensureNoCompanions(file);
  } catch (error) {
    occupation?.release();
    throw error;
  }
  return () => occupation?.release();
}

/** What is no database has no users to look for. */
function occupyIfStore(file: string): Occupation | null {
  try {
    return occupy(file);
  } catch (error) {
    if (error instanceof StoreBroken) return null;
    throw error;
  }
}
