import { copyFileSync, readFileSync } from "node:fs";
import Database from "better-sqlite3";
import { schema as documentsSchema } from "@hocuspocus/extension-sqlite";
import { expect, onTestFinished, test } from "vitest";
import { SQLITE_SCHEMA_VERSION, sqliteSchemaSteps } from "../../storage/sqlite-schema.ts";
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import { textOf, Writer } from "../storage/store-contract.ts";
import { connect } from "../support/client.ts";
import { startProcess } from "../support/server-process.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { checkpoint, flipBit, inDatabase } from "./damage.ts";
import { expectStartRefused } from "./scene.ts";

test("[S12] a file of a newer schema is refused at the start, and not touched", async () => {
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  await server.ended("SIGTERM");
  inDatabase(path, (db) => db.pragma(`user_version = ${SQLITE_SCHEMA_VERSION + 1}`));
  const before = readFileSync(path);
  await expectStartRefused(
    url,
    new RegExp(
      `^Could not start: The store in DATABASE_URL .*version ${SQLITE_SCHEMA_VERSION + 1}, written by a newer`,
    ),
  );
  expect(readFileSync(path).equals(before)).toBe(true);
});

/** As the first version of this server wrote it, before there was a schema version. */
function writeFirstVersion(path: string, rows: number): void {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.exec(`${documentsSchema};
    CREATE TABLE journal (seq INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB NOT NULL, at INTEGER NOT NULL, author TEXT NOT NULL);
    CREATE INDEX journal_by_name ON journal (name);`);
  const insert = db.prepare("INSERT INTO journal (name, data, at, author) VALUES (?, ?, ?, ?)");
  const writer = new Writer();
  for (let i = 0; i < rows; i++) {
    const { room, update } = writer.insert("room", `${i},`);
    insert.run(room, update, 1_700_000_000_000 + i, `author-${i % 3}`);
  }
  db.close();
}

test("[S12] a file of the first version is migrated with every row, and its rooms load", async () => {
  const { path, url } = tempDatabase();
  writeFirstVersion(path, 200);
  const read = (): unknown[] =>
    inDatabase(path, (db) =>
      db.prepare("SELECT seq, name, data, at, author FROM journal ORDER BY seq").all(),
    );
  const before = read();
  const server = await startProcess({ DATABASE_URL: url });
  expect(read()).toEqual(before);
  expect(inDatabase(path, (db) => db.pragma("user_version", { simple: true }))).toBe(SQLITE_SCHEMA_VERSION);
  const visitor = await connect({ url: server.url, name: "room" }).synced();
  expect(visitor.content).toBe(Array.from({ length: 200 }, (_, i) => `${i},`).join(""));
  visitor.text.insert(0, "new ");
  await visitor.saved();
  await server.ended("SIGKILL");

  const again = await startProcess({ DATABASE_URL: url });
  expect((await connect({ url: again.url, name: "room" }).synced()).content).toMatch(/^new 0,1,/);
});

test("[S12] a migration that fails leaves the file as it was", async () => {
  const { path, url } = tempDatabase();
  writeFirstVersion(path, 3);
  // In the way of the second step, after the first has done its work.
  inDatabase(path, (db) => db.exec("CREATE TABLE quarantine (other INTEGER)"));
  copyFileSync(path, `${path}.before`);
  await expectStartRefused(url, /table quarantine already exists/);
  const tables = (file: string): unknown[] =>
    inDatabase(file, (db) => db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all());
  expect(tables(path)).toEqual(tables(`${path}.before`));
  expect(inDatabase(path, (db) => db.prepare("SELECT count(*) FROM journal").pluck().get())).toBe(3);
});

/** As version 0.2.0 wrote it before the index in the file was given up. */
function writeThirdVersion(path: string): void {
  writeFirstVersion(path, 20);
  inDatabase(path, (db) => {
    for (const step of sqliteSchemaSteps.slice(0, 3)) db.exec(step);
    db.pragma("user_version = 3");
    // A number that was used and is gone: the next one goes on above it.
    db.exec("UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'journal'");
  });
}

test("[S12] a file with an index of its journal is migrated with every row, and numbers go on above those that were used", async () => {
  const { path } = tempDatabase();
  writeThirdVersion(path);
  const store = openSqliteStore(path);
  onTestFinished(() => store.close());
  expect(textOf(await store.load("room"))).toBe(Array.from({ length: 20 }, (_, i) => `${i},`).join(""));
  await store.append([new Writer().insert("room", "new")]);
  expect(
    inDatabase(path, (db) => db.prepare("SELECT max(seq), sum(name_sum IS NULL) FROM journal").raw().get()),
  ).toEqual([1001, 0]);
  expect(
    inDatabase(path, (db) =>
      db.prepare("SELECT name FROM sqlite_schema WHERE tbl_name = 'journal'").pluck().all(),
    ),
  ).toEqual(["journal"]);
});

test("[S12] an index of the journal that shows damage keeps its file from being migrated", async () => {
  const { path, url } = tempDatabase();
  writeThirdVersion(path);
  checkpoint(path);
  flipBit(path, "room", { root: "journal_by_name" });
  await expectStartRefused(url, /1 rows of journal are not in its index/);
  expect(inDatabase(path, (db) => db.pragma("user_version", { simple: true }))).toBe(3);
});
