/** Rooms put into a store and read from it without a server. */
import Database from "better-sqlite3";
import { openStore } from "../../storage/open-store.ts";
import { textOf, Writer } from "../storage/store-contract.ts";

/** A text in a room, a journal row for each of `parts`. */
export async function storeText(
  url: string,
  room: string,
  parts: readonly string[],
  { compacted = 0 }: { readonly compacted?: number } = {},
): Promise<void> {
  const store = openStore({ databaseUrl: url });
  const writer = new Writer();
  for (const [index, part] of parts.entries()) {
    await store.append([writer.insert(room, part)]);
    if (index + 1 === compacted) await store.compact(room);
  }
  await store.close();
}

export async function storedText(url: string, room: string): Promise<string> {
  const store = openStore({ databaseUrl: url });
  try {
    return textOf(await store.load(room));
  } finally {
    await store.close();
  }
}

/** Changes a SQLite file behind everybody's back. */
export function tamper(path: string, sql: string, ...values: readonly unknown[]): void {
  const db = new Database(path);
  try {
    db.prepare(sql).run(...values);
  } finally {
    db.close();
  }
}
