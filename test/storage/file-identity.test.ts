/** Storage workers come and go; the file that they work on is the one that the first of them opened. */
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import { StoreMoved } from "../../storage/store.ts";
import { ThreadedStore } from "../../storage/threaded-store.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { textOf, Writer } from "./store-contract.ts";

const REPLACED = "replaced while the server ran";

function threaded(url: string): ThreadedStore {
  const store = new ThreadedStore({ databaseUrl: url });
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

/** Puts a copy of the file in its place, all of it in one file. Returns how to put the original back. */
function replaceByCopy(path: string): () => void {
  const db = new Database(path);
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
  copyFileSync(path, `${path}.copy`);
  renameSync(path, `${path}.original`);
  renameSync(`${path}.copy`, path);
  return () => renameSync(`${path}.original`, path);
}

test("[S12] a worker in the place of the writer does not take a file that was put there meanwhile, nor write to it", async () => {
  const { path, url } = tempDatabase();
  const store = threaded(url);
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  await store.end();
  const putBack = replaceByCopy(path);
  const before = readFileSync(path);
  const entry = writer.insert("room", "b");
  await expect(store.append([entry])).rejects.toThrow(REPLACED);
  await expect(store.load("room")).rejects.toThrow(REPLACED);
  await expect(store.check()).rejects.toThrow(REPLACED);
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(existsSync(`${path}-wal`)).toBe(false);

  putBack();
  await store.append([entry]);
  expect(textOf(await store.load("room"))).toBe("ab");
});

test("[S12] the worker that merges does not take another file than the writer has", async () => {
  const { path, url } = tempDatabase();
  const store = threaded(url);
  await store.append([new Writer().insert("room", "a")]);
  const putBack = replaceByCopy(path);
  await expect(store.compact("room")).rejects.toThrow(REPLACED);
  putBack();
  expect(await store.compact("room")).toMatchObject({ rows: 1 });
});

test("[S12] the file that was written anew is the one that the next workers take", async () => {
  const { path, url } = tempDatabase();
  const store = threaded(url);
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  expect(await store.compact("room")).toMatchObject({ rows: 1 });
  rmSync(path);
  const entry = writer.insert("room", "b");
  await expect(store.append([entry])).rejects.toThrow("written anew");
  await store.append([entry]);
  await store.end();
  expect(textOf(await store.load("room"))).toBe("ab");
  expect(await store.compact("room")).toMatchObject({ rows: 1 });
});

test("[S12] who asks a store whose file has moved is told so once another worker can be asked", async () => {
  const { path, url } = tempDatabase();
  const store = threaded(url);
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  expect(await store.compact("room")).toMatchObject({ rows: 1 });
  rmSync(path);
  const entry = writer.insert("room", "b");
  await expect(store.append([entry])).rejects.toThrow(StoreMoved);
  await store.append([entry]);
  await expect(store.compact("room")).rejects.toThrow(StoreMoved);
  expect(await store.compact("room")).toMatchObject({ rows: 1 });
});

test("[S12] a new writer that is asked for a room first writes a deleted file anew all the same", async () => {
  const { path } = tempDatabase();
  const store = openSqliteStore(path, { role: "writer" });
  onTestFinished(() => store.close());
  rmSync(path);
  await expect(store.load("room")).rejects.toThrow("written anew");
  expect(existsSync(path)).toBe(true);
});

test("[S12] who merges, and answers joiners, leaves a deleted file to the writer", async () => {
  const { path, url } = tempDatabase();
  const store = threaded(url);
  await store.append([new Writer().insert("room", "a")]);
  expect(textOf(await store.loadSince("room", new Uint8Array()))).toBe("a");
  rmSync(path);
  await expect(store.loadSince("room", new Uint8Array())).rejects.toThrow("is gone");
  await expect(store.compact("room")).rejects.toThrow("is gone");
  expect(existsSync(path)).toBe(false);
});

test("[S12] a worker that finds no file any more puts none in its place", async () => {
  const { path, url } = tempDatabase();
  const store = threaded(url);
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  await store.end();
  renameSync(path, `${path}.away`);
  await expect(store.load("room")).rejects.toThrow("unable to open");
  expect(existsSync(path)).toBe(false);
  renameSync(`${path}.away`, path);
  expect(textOf(await store.load("room"))).toBe("a");
});
