/** Merging a journal into its snapshot, interrupted at every statement and done by two at once. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { SqliteFileOptions } from "../../storage/sqlite-file.ts";
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import type { Store } from "../../storage/store.ts";
import { diskOrder } from "../support/disk-order.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { textOf, Writer } from "./store-contract.ts";

const fixture = fileURLToPath(new URL("compacting-process.ts", import.meta.url));

/** A second one on the same path is what another process has. */
function opened(path: string, options: SqliteFileOptions = {}): Store {
  const store = openSqliteStore(path, options);
  onTestFinished(() => store.close());
  return store;
}

async function compactInProcess(
  path: string,
  dieBefore: number,
): Promise<{ signal: unknown; output: string }> {
  const child = spawn(process.execPath, [fixture, path, String(dieBefore)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [, signal]] = await Promise.all([text(child.stdout), once(child, "close")]);
  return { signal, output };
}

test("[S11] killed before any statement of a compaction: each row is in the journal or in the snapshot, once", async () => {
  const { output } = await compactInProcess(tempDatabase().path, 0);
  const statements = Number(output);
  expect(statements).toBeGreaterThan(5);

  const outcomes = new Set<number>();
  const killBefore = async (nth: number): Promise<void> => {
    const { path } = tempDatabase();
    expect((await compactInProcess(path, nth)).signal).toBe("SIGKILL");
    const store = opened(path);
    const stored = await store.load("room");
    expect([nth, textOf(stored), stored.unreadable]).toEqual([nth, "abcd", []]);
    // All rows or none: one that is in both, or in neither, has no place here.
    const merged = textOf({ snapshot: stored.snapshot, updates: [] });
    expect([nth, [merged, stored.updates.length]]).toEqual([nth, merged === "ab" ? ["ab", 2] : ["abcd", 0]]);
    outcomes.add(stored.updates.length);
    await store.compact("room");
    expect(textOf(await store.load("room"))).toBe("abcd");
  };
  for (let nth = 1; nth <= statements; nth += 2) {
    await Promise.all([nth, nth + 1].filter((n) => n <= statements).map(killBefore));
  }
  // Before the commit, all of them: SQLite says nothing after it.
  expect([...outcomes]).toEqual([2]);
});

/** Does something else, once, before the first statement that matches: what another process does in between. */
function interrupted(path: string, before: RegExp, work: () => void): Store {
  let pending = false;
  const store = opened(path, {
    onStatement: (sql) => {
      if (!pending || !before.test(sql)) return;
      pending = false;
      work();
    },
  });
  return { ...store, compact: (room) => ((pending = true), store.compact(room)) };
}

test("[S11] two compact the same room at once: the second one's work is dropped, nothing is lost", async () => {
  const { path } = tempDatabase();
  const other = opened(path);
  const writer = new Writer();
  const store = interrupted(path, /^BEGIN IMMEDIATE/, () => {
    void other.append([writer.insert("room", "c")]);
    void other.compact("room");
    void other.append([writer.insert("room", "d")]);
  });
  await store.append([writer.insert("room", "a"), writer.insert("room", "b")]);
  expect(await store.compact("room")).toMatchObject({ rows: 0 });
  const stored = await store.load("room");
  expect([textOf(stored), stored.updates.length]).toEqual(["abcd", 1]);
});

test("[S11] rows that come while a room is merged stay in its journal", async () => {
  const { path } = tempDatabase();
  const other = opened(path);
  const writer = new Writer();
  const store = interrupted(path, /^BEGIN IMMEDIATE/, () => void other.append([writer.insert("room", "c")]));
  await store.append([writer.insert("room", "a"), writer.insert("room", "b")]);
  expect(await store.compact("room")).toMatchObject({ rows: 2 });
  const stored = await store.load("room");
  expect([textOf(stored), stored.updates.length]).toEqual(["abc", 1]);
});

test("[S11] numbers of rows are not used again after a compaction has emptied the journal", async () => {
  const { path } = tempDatabase();
  const other = opened(path);
  const writer = new Writer();
  // As many as there were: with numbers used again they would be taken for those that this one has merged, and deleted.
  const store = interrupted(path, /^BEGIN IMMEDIATE/, () => {
    void other.compact("room");
    void other.append([writer.insert("room", "c"), writer.insert("room", "d")]);
  });
  await store.append([writer.insert("room", "a"), writer.insert("room", "b")]);
  expect(await store.compact("room")).toMatchObject({ rows: 0 });
  expect(textOf(await store.load("room"))).toBe("abcd");
});

test("[S11] four processes append to one room and compact it at once: every row is there", async () => {
  const { path } = tempDatabase();
  opened(path);
  const results = await Promise.all(Array.from({ length: 4 }, () => compactInProcess(path, 0)));
  expect(results.map(({ signal }) => signal)).toEqual([null, null, null, null]);
  const content = textOf(await opened(path).load("room"));
  expect(content.split("").toSorted().join("")).toBe("aaaabbbbccccdddd");
});

test("[S11] a file that is edited and compacted for long stays as large as its rooms", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const writer = new Writer();
  const bytes = (): number => statSync(path).size + statSync(`${path}-wal`).size;
  const sizes: number[] = [];
  for (let round = 0; round < 60; round++) {
    await store.append([writer.insert("room", "x".repeat(100_000)), writer.clear("room")]);
    await store.append(Array.from({ length: 200 }, () => writer.insert("room", "y")));
    await store.append([writer.clear("room")]);
    await store.compact("room");
    sizes.push(bytes());
  }
  // The log has been full once by then; 4 MB are typed after it.
  expect(Math.max(...sizes.slice(20))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 20)) + 512 * 1024);
  expect(bytes()).toBeLessThan(8 * 1024 * 1024);
});

test("[S11] the write-ahead log of one large compaction is cut back", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const writer = new Writer();
  await store.append([writer.insert("room", "x".repeat(24 * 1024 * 1024))]);
  await store.compact("room");
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(16 * 1024 * 1024);
  // A commit after the checkpoint begins the log anew.
  await store.append([writer.insert("room", "y")]);
  await store.append([writer.insert("room", "y")]);
  expect(statSync(`${path}-wal`).size).toBeLessThanOrEqual(16 * 1024 * 1024);
});

test("[S12] a file that is deleted in the middle of a commit: that commit is not acknowledged, the next one is in the new file", async () => {
  const { path } = tempDatabase();
  let deleting = false;
  const store = opened(path, {
    onStatement: (sql) => {
      if (!deleting || sql !== "COMMIT") return;
      deleting = false;
      rmSync(path);
    },
  });
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  deleting = true;
  const entry = writer.insert("room", "b");
  await expect(store.append([entry])).rejects.toThrow("written anew");
  await opened(path).append([entry]);
  expect(textOf(await opened(path).load("room"))).toBe("ab");
});

test("[S12] the log of a file that was deleted alone is not taken for that of the new one, whose pages lie elsewhere", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  const [large, small] = [new Writer(), new Writer()];
  for (let i = 0; i < 20; i++) await store.append([large.insert("large", "x".repeat(20_000))]);
  await store.compact("large");
  const other = new Database(path);
  onTestFinished(() => void other.close());
  other.pragma("wal_checkpoint(TRUNCATE)");
  await store.append([small.insert("room", "a")]);
  rmSync(path);
  await expect(store.append([])).rejects.toThrow("written anew");

  const reader = new Database(path, { readonly: true });
  onTestFinished(() => void reader.close());
  expect(reader.pragma("integrity_check", { simple: true })).toBe("ok");
  const again = opened(path);
  expect(textOf(await again.load("room"))).toBe("a");
  expect(textOf(await again.load("large"))).toHaveLength(400_000);
});

test("[S12] of two that write the deleted file anew at once, the second one leaves the first one's alone", async () => {
  const { path } = tempDatabase();
  const writer = new Writer();
  const other = opened(path);
  let rescues = 0;
  const store = opened(path, {
    onStatement: (sql) => {
      // The other has been faster, and has gone on working with its new file.
      if (!sql.startsWith("VACUUM INTO") || rescues++ > 0) return;
      other.append([]).catch(() => {});
      void opened(path).append([writer.insert("room", "b")]);
    },
  });
  await store.append([writer.insert("room", "a")]);
  rmSync(path);
  await expect(store.append([])).rejects.toThrow("is there again");
  const reader = new Database(path, { readonly: true });
  onTestFinished(() => void reader.close());
  expect(textOf(await opened(path).load("room"))).toBe("ab");
});

test("[S12] a file that is written anew is on the disk before it has its name, and its name is before anybody is told", async () => {
  const { path } = tempDatabase();
  const store = opened(path);
  await store.append([new Writer().insert("room", "a")]);
  rmSync(path);
  const order = diskOrder();
  let told = 0;
  await expect(store.append([]).finally(() => (told = order.length))).rejects.toThrow("written anew");
  expect(order.slice(0, told)).toEqual([
    `fsync ${path}.${process.pid}`,
    `name ${path}`,
    `fsync ${dirname(path)}`,
  ]);
});
