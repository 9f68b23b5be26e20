/** Damage to a database file as a disk or a careless hand does it: bytes on the disk, not SQL. */
import { closeSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import Database from "better-sqlite3";
import { expect } from "vitest";

/** What another program reads or writes there, and is gone again. */
export function inDatabase<T>(path: string, work: (db: Database.Database) => T): T {
  const db = new Database(path, { timeout: 5000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** Everything is in the main file then, where the damage is done. */
export function checkpoint(path: string): void {
  inDatabase(path, (db) => db.pragma("wal_checkpoint(TRUNCATE)"));
}

/** Flips a bit, the lowest if not said otherwise, of the first byte of `mark`, which stands in the file once, or once in the given table's or index' root page. */
export function flipBit(
  path: string,
  mark: string,
  { root, bit = 0x01 }: { readonly root?: string; readonly bit?: number } = {},
): void {
  const bytes = readFileSync(path);
  const pageBytes = bytes.readUInt16BE(16);
  const page = root === undefined ? null : rootPage(path, root);
  const [from, to] = page === null ? [0, bytes.length] : [(page - 1) * pageBytes, page * pageBytes];
  const at = bytes.indexOf(mark, from);
  expect(at, `${mark} in the file`).toBeGreaterThanOrEqual(from);
  expect(at).toBeLessThan(to);
  flipAt(path, at, bit);
}

export function flipAt(path: string, offset: number, bit = 0x01): void {
  const byte = readFileSync(path).readUInt8(offset);
  // Not readFile and writeFile of the whole: the server may have the file open, and it must stay the same one.
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, Buffer.of(byte ^ bit), 0, 1, offset);
  closeSync(descriptor);
}

/** Returns how to put back what was cut off. */
export function cutOff(path: string, bytesLeft: (size: number) => number): () => void {
  const before = readFileSync(path);
  truncateSync(path, bytesLeft(before.length));
  return () => {
    const descriptor = openSync(path, "r+");
    writeSync(descriptor, before);
    closeSync(descriptor);
  };
}

function rootPage(path: string, name: string): number {
  return inDatabase(path, (db) =>
    db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").pluck().get(name),
  ) as number;
}
