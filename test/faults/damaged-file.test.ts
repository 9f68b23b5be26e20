import type Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../storage/sqlite-store.ts";
import { Writer } from "../storage/store-contract.ts";
import { runCommand } from "../support/command.ts";
import { startProcess } from "../support/server-process.ts";
import { tempDatabase } from "../support/temp-dir.ts";
import { checkpoint, cutOff, flipAt, flipBit, inDatabase } from "./damage.ts";
import { expectStartRefused, Scene } from "./scene.ts";

const halfOf = (size: number): number => Math.floor(size / 2);
const nothingOf = (): number => 0;

/** A file with a room that is all in its main part, and a server that may have been killed. */
async function stored(kill: boolean): Promise<{ path: string; url: string; scene: Scene }> {
  const { path, url } = tempDatabase();
  const scene = await Scene.open(url, { LOG_LEVEL: "debug" });
  await scene.edit("x".repeat(20_000));
  await scene.acknowledged();
  if (kill) await scene.crash();
  checkpoint(path);
  return { path, url, scene };
}

test.for([
  ["half", halfOf, /malformed|damaged/],
  ["nothing", nothingOf, /has 0 bytes/],
] as const)("[S12] a file of which %s is left is refused at the start", async ([, left, reason]) => {
  const { path, url, scene } = await stored(true);
  const putBack = cutOff(path, left);
  await expectStartRefused(url, reason);
  putBack();
  await scene.expectNothingLost();
});

test.for([
  ["half", halfOf],
  ["nothing", nothingOf],
] as const)("[S2] a file is cut down to %s under the server: no ack until it is whole", async ([, left]) => {
  const { path, scene } = await stored(false);
  // As its operator does every few seconds: the server has seen how large the file is.
  expect((await scene.readiness()).status).toBe(200);
  const putBack = cutOff(path, left);
  await scene.expectAcksWithheld(/was cut off|SQLITE_CORRUPT|SQLITE_NOTADB|SQLITE_IOERR/);
  // Nothing is heaped up in the file meanwhile, however often the journal tries.
  await scene.server.logged("a second try", (line) => line["attempt"] === 2);
  putBack();
  await scene.expectServiceAgain();
  const rows = inDatabase(path, (db) =>
    db.prepare("SELECT count(*) FROM journal WHERE name = 'room'").pluck().get(),
  );
  expect(rows).toBe(scene.edits);
  await scene.expectNothingLost();
});

test("[S12] a damaged header is refused at the start", async () => {
  const { path, url, scene } = await stored(true);
  flipAt(path, 0);
  await expectStartRefused(url, /file is not a database/);
  flipAt(path, 0);
  await scene.expectNothingLost();
});

test("[S3] a flipped bit in the index of the snapshots is refused at the start: rooms would be shown empty", async () => {
  const { path, url, scene } = await stored(true);
  await scene.compactByOrderlyStop();
  checkpoint(path);
  flipBit(path, "room", { root: "sqlite_autoindex_documents_1" });
  await expectStartRefused(url, /rows of documents are not in its index/);
  flipBit(path, "soom", { root: "sqlite_autoindex_documents_1" });
  await scene.expectNothingLost();
});

test("[S3] a flipped bit in the room of a journal row is refused at the start: its room would have a hole, and another one its edits", async () => {
  const { path, url, scene } = await stored(true);
  flipBit(path, "room", { root: "journal" });
  await expectStartRefused(url, /1 rows of journal are not under the room/);
  flipBit(path, "soom", { root: "journal" });
  await scene.expectNothingLost();
});

test.for([
  ["is another name", "soom"],
  ["is no text any more", "\ufffdoom"],
] as const)(
  "[B3] a journal row whose room %s is found, and set aside, after which the server starts",
  async ([, read]) => {
    const { path, url } = await stored(true);
    flipBit(path, "room", { root: "journal", bit: read === "soom" ? 0x01 : 0x80 });
    await expectStartRefused(url, /1 rows of journal are not under the room/);
    const found = await runCommand("doctor", url);
    expect([found.code, found.stdout]).toEqual([
      1,
      expect.stringMatching(new RegExp(`"${read}": journal row \\d+: its checksum`)),
    ]);
    expect((await runCommand("doctor", url, "--repair")).code).toBe(0);
    const aside = (db: Database.Database): unknown => db.prepare("SELECT name FROM quarantine").pluck().all();
    expect(inDatabase(path, aside)).toEqual([read]);
    await startProcess({ DATABASE_URL: url });
  },
);

test("[S10] a journal row whose room is damaged under the server is set aside, not merged into another room", async () => {
  const { path } = tempDatabase();
  const store = openSqliteStore(path);
  onTestFinished(() => store.close());
  await store.append([new Writer().insert("room", "private")]);
  checkpoint(path);
  inDatabase(path, (db) => db.exec("UPDATE journal SET name = 'soom'"));
  expect(await store.compact("soom")).toMatchObject({ rows: 0, unreadable: [{ reason: /checksum/ }] });
  expect(await store.load("soom")).toMatchObject({ updates: [] });
});

test.for([
  ["the header", (path: string) => flipAt(path, 0)],
  ["the room of a row", (path: string) => flipBit(path, "room", { root: "journal" })],
] as const)(
  "[S2] a flipped bit in %s under the server: it goes on, and after a crash shows all or refuses to start",
  async ([, flip]) => {
    const { path, url, scene } = await stored(false);
    flip(path);
    await scene.edit("after the flip ");
    await scene.expectFreeLoop();
    await scene.expectNothingLostOr(() => expectStartRefused(url, /not a database|damaged|malformed/));
  },
);
