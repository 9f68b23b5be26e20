import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { JournalIndex } from "../../storage/journal-index.ts";
import { defineChecksum } from "../../storage/sqlite-integrity.ts";
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import type { Store } from "../../storage/store.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { textOf, Writer } from "./store-contract.ts";

const STALE_ROWS_KEPT = 50;

function opened(path: string): Store {
  const store = openSqliteStore(path);
  onTestFinished(() => store.close());
  return store;
}

function indexOn(path: string): JournalIndex<{ seq: number }> {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  defineChecksum(db);
  return new JournalIndex({ db, columns: "seq", staleRowsKept: STALE_ROWS_KEPT });
}

const rows = (writer: Writer, room: string, count: number): ReturnType<Writer["insert"]>[] =>
  Array.from({ length: count }, () => writer.insert(room, "x"));

test("[S7] a room's rows are found whoever wrote them, before or after the first look, and not once they are merged", async () => {
  const { path } = tempDatabase();
  const [store, other] = [opened(path), opened(path)];
  const [writer, bystander] = [new Writer(), new Writer()];
  await other.append([writer.insert("room", "a"), bystander.insert("other", "x")]);
  expect(textOf(await store.load("room"))).toBe("a");
  await other.append([bystander.insert("other", "y"), writer.insert("room", "b")]);
  await store.append([writer.insert("room", "c")]);
  expect((await store.load("room")).updates).toHaveLength(3);
  await other.compact("room");
  await other.append([writer.insert("room", "d")]);
  const stored = await store.load("room");
  expect([textOf(stored), stored.updates.length]).toEqual(["abcd", 1]);
  expect(textOf(await store.load("other"))).toBe("xy");
});

test("[S7] a name that is no well-formed text finds the rows that were written with it", async () => {
  const store = opened(tempDatabase().path);
  await store.append([new Writer().insert("half \ud83d", "a")]);
  expect(textOf(await store.load("half \ud83d"))).toBe("a");
  expect(await store.compact("half \ud83d")).toMatchObject({ rows: 1 });
  expect(textOf(await store.load("half \ud83d"))).toBe("a");
});

test("[S11] more rows than are read at once are all found", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const entry = new Writer().insert("room", "x");
  await store.append(Array.from({ length: 20_001 }, (_, i) => ({ ...entry, room: `room-${i % 2}` })));
  const index = indexOn(path);
  expect(index.rowsOf("room-0")).toHaveLength(10_001);
  expect(index.rowsOf("room-1")).toHaveLength(10_000);
});

test("[S11] what a server remembers of rows stays bounded, however long rooms are edited that nobody loads again", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const index = indexOn(path);
  const writer = new Writer();
  await store.append(rows(writer, "quiet", 20));
  const sizes: number[] = [];
  for (let round = 0; round < 40; round++) {
    await store.append(rows(writer, `room-${round}`, 10));
    // Its look brings these in; then they go, and nobody asks for that room again.
    expect(index.rowsOf("quiet")).toHaveLength(20);
    await store.compact(`room-${round}`);
    sizes.push(index.size);
  }
  // Twice what was there, what may be stale, and one round.
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 30 + STALE_ROWS_KEPT + 10);
  expect(index.rowsOf("room-39")).toEqual([]);
});

test("[S11] rows that are gone are forgotten with the next read of their room", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const index = indexOn(path);
  const writer = new Writer();
  await store.append([...rows(writer, "room", 3), ...rows(writer, "other", 2)]);
  expect([index.rowsOf("room").length, index.size]).toEqual([3, 5]);
  await store.compact("room");
  expect([index.rowsOf("room").length, index.size]).toEqual([0, 2]);
});

test("[S11] what has been merged is forgotten, and what came meanwhile is not", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const index = indexOn(path);
  const writer = new Writer();
  await store.append(rows(writer, "room", 3));
  const merged = index.rowsOf("room");
  await store.append(rows(writer, "room", 2));
  expect(index.rowsOf("room")).toHaveLength(5);
  index.forget("room", merged.at(-1)?.seq ?? 0);
  expect([index.rowsOf("room").length, index.size]).toEqual([2, 2]);
});

test("[S12] other rows under the same numbers, as SQLite's own restore puts them in, are found", async () => {
  const [{ path }, backup] = [tempDatabase(), tempDatabase()];
  const store = opened(path);
  await store.append([...rows(new Writer(), "other", 5), new Writer().insert("room", "since the backup")]);
  expect(textOf(await store.load("room"))).toBe("since the backup");

  const older = opened(backup.path);
  await older.append([new Writer().insert("room", "of the backup")]);
  const source = new Database(backup.path);
  onTestFinished(() => void source.close());
  await source.backup(path);
  expect(textOf(await store.load("room"))).toBe("of the backup");
});
