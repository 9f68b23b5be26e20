/** `npm run import -- SOURCE`: takes rooms over from elsewhere. */
import { openStore } from "../storage/open-store.ts";
import { ensureNotStore, sqlitePathIn } from "../storage/open-survey.ts";
import { placeOf } from "../storage/postgres-survey.ts";
import { StorageError, type JournalEntry } from "../storage/store.ts";
import { EXIT_CODES_HELP, runCommand } from "./command.ts";
import { openImportSource, type ImportedRoom } from "./import-source.ts";
import { Progress } from "./progress.ts";
import { bytesText, roomText } from "./wording.ts";

/** One commit holds this much, or one room: a commit a room would be an fsync each. */
const BATCH_BYTES = 4_000_000;
const BATCH_ROOMS = 500;

const help = `
Merges rooms from SOURCE into the store: a SQLite file of a stock Hocuspocus (or of this server), or a folder with one Yjs
update (v1) a file, named after its room: task-list-1.bin, team%2Fplan.yjs, x.update. A room that exists keeps what it has;
importing twice is importing once. Safe while the server runs, but a room that is in its memory shows what was imported only when it
is loaded the next time (ROOM_IDLE_SECONDS after everybody has left it).

  npm run import -- SOURCE [--dry-run] [--database URL]

  --dry-run       read and check everything, write nothing
  --database URL  the store to import into, instead of DATABASE_URL

Exit codes:
   0  everything in SOURCE is in the store
   1  something was left behind, each said on stderr, or the import failed
${EXIT_CODES_HELP}
`;

await runCommand({
  help,
  argument: "SOURCE",
  options: { "dry-run": { type: "boolean", default: false } },
  run: async ({ values, argument: path, databaseUrl, roomNamePattern }) => {
    const dryRun = values["dry-run"];
    if (databaseUrl === "memory:") throw new StorageError("Nothing can be imported into memory:");
    ensureNotStore(path, databaseUrl);
    const source = await openImportSource(path);
    const store = dryRun ? null : openStore({ databaseUrl });
    const progress = new Progress({ label: "Importing", unit: "rooms" });
    const imported = { rooms: 0, bytes: 0 };
    let batch: JournalEntry[] = [];
    let batchBytes = 0;
    let seen = 0;
    let isComplete = true;
    const commit = async (): Promise<void> => {
      await store?.append(batch);
      imported.rooms += batch.length;
      imported.bytes += batchBytes;
      batch = [];
      batchBytes = 0;
    };
    try {
      for await (const found of source.rooms()) {
        progress.update(seen++, source.total);
        const reasons = reasonsAgainst(found, roomNamePattern);
        if (reasons.length > 0) {
          isComplete = false;
          progress.end();
          for (const reason of reasons)
            process.stderr.write(`Left behind: ${roomText(found.from)}: ${reason}\n`);
        }
        if (found.isIncomplete) {
          progress.end();
          process.stderr.write(
            `${roomText(found.from)} has edits that wait for others which are not in it\n`,
          );
        }
        if (found.update === null || !isRoomName(found.room, roomNamePattern)) continue;
        batch.push({ room: found.room, update: found.update, at: Date.now(), author: "" });
        batchBytes += found.update.byteLength;
        if (batchBytes >= BATCH_BYTES || batch.length >= BATCH_ROOMS) await commit();
      }
      await commit();
    } finally {
      progress.end();
      await store?.close();
      await source.close();
      // Also after a failure: what is committed stays.
      const verb = dryRun ? "Would import" : "Imported";
      const place = sqlitePathIn(databaseUrl) ?? placeOf(databaseUrl);
      process.stdout.write(`${verb} ${imported.rooms} rooms, ${bytesText(imported.bytes)}, into ${place}\n`);
    }
    if (!dryRun && imported.rooms > 0) {
      process.stdout.write(
        "A room that is open in a running server shows it when it is loaded the next time\n",
      );
    }
    return isComplete ? 0 : 1;
  },
});

function reasonsAgainst({ room, update, faults }: ImportedRoom, pattern: RegExp): readonly string[] {
  if (update === null || isRoomName(room, pattern)) return faults;
  return [...faults, `no client could enter a room of the name ${roomText(room)} (ROOM_NAME_PATTERN)`];
}

/** In a message NUL ends the name, whatever the pattern says; Postgres cannot hold it, and one such room would cost its whole batch. */
function isRoomName(room: string, pattern: RegExp): boolean {
  return pattern.test(room) && !(room in {}) && !room.includes("\0");
}
