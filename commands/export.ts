/** `npm run export -- ROOM`: one room, as it is stored, for other programs. */
import { writeFileSync } from "node:fs";
import * as Y from "yjs";
import { ensureNotStore, openSurvey } from "../storage/open-survey.ts";
import { examine } from "../storage/room-examination.ts";
import type { SurveyedRoom } from "../storage/store-survey.ts";
import { StorageError } from "../storage/store.ts";
import { EXIT_CODES_HELP, runCommand, UsageError } from "./command.ts";
import { writeThroughDraft } from "./draft-file.ts";
import { jsonText, rootTypesOf } from "./root-types.ts";
import { bytesText, roomText } from "./wording.ts";

const help = `
Writes one room as it is stored (every edit that a client was told is saved) to stdout or to a file. Changes nothing.

  npm run -s export -- ROOM [--format update|json] [--output FILE [--force]] [--database URL]

  --format update  one Yjs update, v1 (default): what \`npm run import\` and Y.applyUpdate read
  --format json    { room, roots: { <name>: { kind, isGuess, value } } }. A stored room does not say of which type its roots
                   are; the kind (map, array, text, xml, unknown) follows from what they hold, isGuess where that leaves a doubt
  --output FILE    to FILE, which has its name only once it is complete
  --force          replace FILE
  --database URL   instead of DATABASE_URL

To stdout use \`npm run -s\`: without -s npm prints a heading there.

Exit codes:
   0  the whole room is written
   1  there is no such room, or it failed, or the room is written without what cannot be read (said on stderr)
${EXIT_CODES_HELP}
`;

await runCommand({
  help,
  argument: "ROOM",
  options: {
    format: { type: "string", default: "update" },
    output: { type: "string" },
    force: { type: "boolean", default: false },
  },
  run: async ({ values: { format, output, force }, argument: room, databaseUrl }) => {
    if (format !== "update" && format !== "json") throw new UsageError("--format is update or json");
    if (format === "update" && output === undefined && process.stdout.isTTY) {
      throw new UsageError(
        "An update is binary, and this is a terminal: use --output FILE, or --format json",
      );
    }
    if (output !== undefined) ensureNotStore(output, databaseUrl);
    const survey = await openSurvey(databaseUrl);
    let stored: SurveyedRoom;
    try {
      stored = await survey.room(room);
    } finally {
      await survey.close();
    }
    if (!stored.snapshot && stored.rows.length === 0) {
      throw new StorageError(`There is no room ${roomText(room)} in ${survey.place}`);
    }
    const { document, snapshotFault, unreadable, isIncomplete } = examine(stored);
    const faults = [
      ...(snapshotFault === null ? [] : [`snapshot: ${snapshotFault}`]),
      ...unreadable.map(({ seq, reason }) => `journal row ${seq}: ${reason}`),
    ];
    for (const fault of faults) process.stderr.write(`Left out: ${fault}\n`);
    if (isIncomplete) process.stderr.write("Some edits wait for others which are not stored\n");
    const data =
      format === "update"
        ? Y.encodeStateAsUpdate(document)
        : `${jsonText({ room, roots: rootTypesOf(document) })}\n`;
    if (output === undefined) {
      process.stdout.write(data);
    } else {
      await writeThroughDraft({ path: output, force, write: async (draft) => writeFileSync(draft, data) });
      process.stdout.write(`${output}: ${roomText(room)}, ${bytesText(Buffer.byteLength(data))}\n`);
    }
    return faults.length === 0 ? 0 : 1;
  },
});
