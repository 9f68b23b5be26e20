/** Rooms from elsewhere: a SQLite file of a stock Hocuspocus or of this server, or a folder with a Yjs update a file. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import * as Y from "yjs";
import { examine } from "../storage/room-examination.ts";
import { openSqliteSurvey } from "../storage/sqlite-survey.ts";
import type { SurveyedRoom } from "../storage/store-survey.ts";
import { StorageError } from "../storage/store.ts";

const UPDATE_FILE = /^(.+)\.(?:bin|yjs|update)$/;

export interface ImportedRoom {
  /** Room or file, for the report. */
  readonly from: string;
  readonly room: string;
  /** One update with everything that can be read; null when there is nothing. */
  readonly update: Uint8Array | null;
  /** What is left behind, one reason each. */
  readonly faults: readonly string[];
  readonly isIncomplete: boolean;
}

export interface ImportSource {
  readonly total: number;
  rooms(): AsyncIterable<ImportedRoom>;
  close(): Promise<void>;
}

/** @throws StorageError or SqliteError when there is nothing of the two at `path`. */
export async function openImportSource(path: string): Promise<ImportSource> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new StorageError(`There is nothing at ${path}`);
  return stats.isDirectory() ? folderSource(path) : sqliteSource(path);
}

async function sqliteSource(path: string): Promise<ImportSource> {
  const survey = openSqliteSurvey(path);
  const total = await survey.countRooms();
  return {
    total,
    async *rooms() {
      let found = 0;
      for await (const name of survey.roomNames()) {
        found++;
        yield await readable(name, () => survey.room(name));
      }
      if (found < total) yield leftBehind(path, `${total - found} rooms have names that are no text`);
    },
    close: () => survey.close(),
  };
}

function folderSource(folder: string): ImportSource {
  const names = readdirSync(folder).toSorted();
  return {
    total: names.length,
    async *rooms() {
      for (const name of names) {
        const room = roomNameIn(name);
        if (room === null)
          yield leftBehind(name, "its name is not <room>.bin, .yjs or .update, percent-encoded");
        else yield { ...(await readable(room, () => roomInFile(room, join(folder, name)))), from: name };
      }
    },
    close: async () => {},
  };
}

async function roomInFile(name: string, path: string): Promise<SurveyedRoom> {
  // Reading a pipe would never end.
  if (!statSync(path).isFile()) throw new StorageError("it is no file");
  return { name, snapshot: readFileSync(path), snapshotSum: null, rows: [] };
}

function roomNameIn(fileName: string): string | null {
  const encoded = UPDATE_FILE.exec(fileName)?.[1];
  if (encoded === undefined) return null;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

function leftBehind(from: string, fault: string): ImportedRoom {
  return { from, room: "", update: null, faults: [fault], isIncomplete: false };
}

/** What cannot be read costs that room, not those after it. */
async function readable(room: string, read: () => Promise<SurveyedRoom>): Promise<ImportedRoom> {
  let stored: SurveyedRoom;
  try {
    stored = await read();
  } catch (error) {
    return leftBehind(room, error instanceof Error ? error.message : String(error));
  }
  if (!stored.snapshot && stored.rows.length === 0)
    return leftBehind(room, "nothing can be read under this name");
  const { document, snapshotFault, unreadable, isIncomplete } = examine(stored);
  const update = Y.encodeStateAsUpdate(document);
  document.destroy();
  const faults = [
    ...(snapshotFault === null ? [] : [`snapshot: ${snapshotFault}`]),
    ...unreadable.map(({ seq, reason }) => `journal row ${seq}: ${reason}`),
  ];
  const hasContent = stored.rows.length > unreadable.length || (stored.snapshot && snapshotFault === null);
  return { from: room, room, update: hasContent ? update : null, faults, isIncomplete };
}
