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
  return {
    total: await survey.countRooms(),
    async *rooms() {
      for await (const name of survey.roomNames()) yield readable(name, await survey.room(name));
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
        if (room === null || !statSync(join(folder, name)).isFile()) {
          const faults = ["it is no file named <room>.bin, .yjs or .update, percent-encoded"];
          yield { from: name, room: "", update: null, faults, isIncomplete: false };
          continue;
        }
        const data = readFileSync(join(folder, name));
        yield { ...readable(room, { name: room, snapshot: data, snapshotSum: null, rows: [] }), from: name };
      }
    },
    close: async () => {},
  };
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

function readable(room: string, stored: SurveyedRoom): ImportedRoom {
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
