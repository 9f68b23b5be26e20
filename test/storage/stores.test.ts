import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { openMemoryStore } from "../../storage/memory-store.ts";
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import { ThreadedStore } from "../../storage/threaded-store.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";
import { storeContract, textOf, Writer } from "./store-contract.ts";

const newPlace = (): string => tempDatabase().path;

storeContract("memory", { durable: false, newPlace: () => "", open: openMemoryStore });
storeContract("SQLite", { durable: true, newPlace, open: openSqliteStore });
storeContract("memory in the worker", {
  durable: false,
  newPlace: () => "",
  open: () => new ThreadedStore({ databaseUrl: "memory:" }),
});
storeContract("SQLite in the worker", {
  durable: true,
  newPlace,
  open: (path) => new ThreadedStore({ databaseUrl: `sqlite:${path}` }),
});

test("[S1] each commit of the SQLite store is synchronous to the disk", () => {
  const { path } = tempDatabase();
  // The setting belongs to the adapter's own connection, which nobody else can ask: watch it being set.
  const pragma = vi.spyOn(Database.prototype, "pragma");
  onTestFinished(() => pragma.mockRestore());
  const store = openSqliteStore(path);
  onTestFinished(() => store.close());
  expect(pragma.mock.calls.flat()).toEqual(
    expect.arrayContaining(["journal_mode = WAL", "synchronous = FULL"]),
  );
});

test("[S9] every journal row has its time and its author", async () => {
  const { path } = tempDatabase();
  const store = openSqliteStore(path);
  onTestFinished(() => store.close());
  await store.append([{ ...new Writer().insert("room", "a"), at: 1_700_000_000_000, author: "ben" }]);
  const reader = new Database(path, { readonly: true });
  onTestFinished(() => void reader.close());
  expect(reader.prepare("SELECT at, author FROM journal").get()).toEqual({
    at: 1_700_000_000_000,
    author: "ben",
  });
});

test("[S8] a storage worker that has ended is replaced at the next request", async () => {
  const { url } = tempDatabase();
  const store = new ThreadedStore({ databaseUrl: url });
  onTestFinished(() => store.close());
  const writer = new Writer();
  await store.append([writer.insert("room", "a")]);
  await store.end();
  await store.append([writer.insert("room", "b")]);
  expect(textOf(await store.load("room"))).toBe("ab");
});

test("[S8] a request that the worker took along is rejected, not forgotten", async () => {
  const { path, url } = tempDatabase();
  const store = new ThreadedStore({ databaseUrl: url });
  onTestFinished(() => store.close());
  await store.check();
  // So that the worker has no answer before it ends.
  const other = new Database(path);
  onTestFinished(() => void other.close());
  other.exec("BEGIN IMMEDIATE");
  const asked = store.append([new Writer().insert("room", "a")]);
  await Promise.all([store.end(), expect(asked).rejects.toThrow("The storage worker ended")]);
});

test("[S8] a store that cannot be opened rejects with the reason, and opens once it can be", async () => {
  const inTheWay = join(tempDir(), "data");
  writeFileSync(inTheWay, "a file where the folder should be");
  const store = new ThreadedStore({ databaseUrl: `sqlite:${inTheWay}/collab.sqlite` });
  onTestFinished(() => store.close());
  await expect(store.check()).rejects.toThrow(/ENOTDIR|EEXIST/);
  rmSync(inTheWay);
  await expect(store.check()).resolves.toBeUndefined();
});

test("[S7] of a batch in which something cannot be written nothing is", async () => {
  const { path } = tempDatabase();
  const store = openSqliteStore(path);
  onTestFinished(() => store.close());
  const writer = new Writer();
  const [first, second] = [writer.insert("room", "a"), writer.insert("room", "b")];
  await expect(store.append([first, { ...second, author: null as never }])).rejects.toThrow("NOT NULL");
  expect((await store.load("room")).updates).toEqual([]);
  await store.append([first, second]);
  expect(textOf(await store.load("room"))).toBe("ab");
});
