/** Journal rows as adapters read them, and which of them can be used. */
import { crc32 } from "node:zlib";
import * as Y from "yjs";
import type { UnreadableRow } from "./store.ts";

export interface JournalRow {
  readonly seq: number;
  readonly data: Uint8Array;
  /** `checksum(data)` when it was written; null in rows written before there were checksums; any other number if the row is no one's. */
  readonly sum: number | null;
}

export interface SortedRows {
  readonly readable: readonly Uint8Array[];
  readonly unreadable: readonly UnreadableRow[];
}

/** CRC-32 (ISO 3309), 0 to 2^32 - 1. SQLite has no page checksums: a flipped bit inside a text would pass as an edit. */
export function checksum(data: Uint8Array | string): number {
  return crc32(data);
}

/** A row that does not decode would make Yjs throw in the middle of a room's load, and the whole room would be lost with it. */
export function sortRows(rows: readonly JournalRow[]): SortedRows {
  const readable: Uint8Array[] = [];
  const unreadable: UnreadableRow[] = [];
  for (const { seq, data, sum } of rows) {
    const reason = faultIn(data, sum);
    if (reason === null) readable.push(data);
    else unreadable.push({ seq, reason });
  }
  return { readable, unreadable };
}

function faultIn(data: Uint8Array, sum: number | null): string | null {
  if (sum !== null && sum !== checksum(data)) return "its checksum does not match";
  try {
    Y.decodeUpdate(data);
    return null;
  } catch (error) {
    return `it does not decode: ${error instanceof Error ? error.message : String(error)}`;
  }
}
