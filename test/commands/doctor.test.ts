import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { SQLite } from "@hocuspocus/extension-sqlite";
import { expect, onTestFinished, test } from "vitest";
import * as Y from "yjs";
import { diagnose, type Diagnosis } from "../../commands/diagnosis.ts";
import { openRepair, openSurvey } from "../../storage/open-survey.ts";
import { connect } from "../support/client.ts";
import { runCommand, startCommand } from "../support/command.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText, storeText, tamper } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";

test("[B3] a sound store is said to be sound while a server runs on it", async () => {
  const { url } = tempDatabase();
  await storeText(url, "older", ["a", "b"], { compacted: 1 });
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "newer" }).synced();
  client.text.insert(0, "x".repeat(1000));
  await client.saved();
  const { code, diagnosis } = await doctor(url);
  expect(code).toBe(0);
  expect(diagnosis).toMatchObject({
    isWell: true,
    integrity: [],
    rooms: 2,
    problems: [],
    quarantine: [],
    largest: [{ room: "newer" }, { room: "older" }],
    lastEdit: { room: "newer" },
  });
  client.text.insert(0, "and goes on");
  await client.saved();
});

test("[B3] looking changes nothing", async () => {
  const { path, url } = await faultyStore();
  const before = readFileSync(path);
  const { code } = await doctor(url);
  expect(code).toBe(1);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("[B3] every fault is told with its room, and --repair moves it to the quarantine so that the room loads", async () => {
  const { url } = await faultyStore();
  const found = await runCommand("doctor", url);
  expect(found.code).toBe(1);
  expect(found.stdout).toMatch(/"bad-row": journal row \d+: it does not decode/);
  expect(found.stdout).toMatch(/"bad-sum": journal row \d+: its checksum does not match/);
  expect(found.stdout).toMatch(/"bad-snapshot": snapshot: it does not decode/);
  expect(found.stdout).toMatch(/"bad-snapshot-sum": snapshot: its checksum does not match/);
  expect(found.stdout).not.toContain('"good":');

  const repaired = await doctor(url, "--repair");
  expect(repaired.code).toBe(0);
  expect(repaired.diagnosis.problems.every(({ isRepaired }) => isRepaired)).toBe(true);
  const after = await doctor(url);
  expect(after).toMatchObject({ code: 0, diagnosis: { isWell: true, problems: [] } });
  const quarantine = after.diagnosis.quarantine.map(({ room, seq, reason }) => [
    room,
    seq < 0,
    reason.startsWith("snapshot: "),
  ]);
  expect(quarantine.toSorted()).toEqual([
    ["bad-row", false, false],
    ["bad-snapshot", true, true],
    ["bad-snapshot-sum", true, true],
    ["bad-sum", false, false],
  ]);

  const server = await startProcess({ DATABASE_URL: url });
  for (const room of ["bad-row", "bad-sum", "good"]) {
    expect((await connect({ url: server.url, name: room }).synced()).content).toBe("ab");
  }
  // Of its three edits the first was in the snapshot, and the others build on it: they wait, and nobody is refused any more.
  expect((await connect({ url: server.url, name: "bad-snapshot" }).synced()).content).toBe("");
  expect(after.diagnosis.incomplete).toEqual(["bad-snapshot", "bad-snapshot-sum"]);
});

test("[B3] --repair while a server runs: a refused room lets in its clients, and others go on", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a"], { compacted: 1 });
  tamper(path, "UPDATE documents SET data = x'ff'");
  const server = await startProcess({ DATABASE_URL: url });
  const other = await connect({ url: server.url, name: "other" }).synced();
  const refused = connect({ url: server.url, name: "room" });
  await refused.closedWith(4501);
  expect((await doctor(url, "--repair")).code).toBe(0);
  await refused.synced();
  other.text.insert(0, "x");
  await other.saved();
});

test("[B3] a database that is damaged itself is told, and not written to", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a", "b"]);
  tamper(path, "PRAGMA wal_checkpoint(TRUNCATE)");
  tamper(path, "CREATE TABLE padding AS SELECT zeroblob(200000) AS data");
  // Pages in the middle of a chain of its pages.
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, Buffer.alloc(4096, 0xee), 0, 4096, 4096 * 20);
  closeSync(descriptor);
  const { code, diagnosis } = await doctor(url, "--repair");
  expect(code).toBe(1);
  expect(diagnosis.integrity.length).toBeGreaterThan(0);
  expect(diagnosis.quarantine).toEqual([]);
});

test("[B3] what cannot be opened is exit code 2, in one line", async () => {
  const missing = tempDatabase();
  const garbage = tempDatabase();
  writeFileSync(garbage.path, "no database".repeat(100));
  const newer = tempDatabase();
  await storeText(newer.url, "room", ["a"]);
  tamper(newer.path, "PRAGMA user_version = 1000");
  const empty = tempDatabase();
  writeFileSync(empty.path, "");
  const cutOff = tempDatabase();
  await storeText(cutOff.url, "room", ["a"]);
  truncateSync(cutOff.path, 100);
  for (const url of [missing.url, garbage.url, newer.url, empty.url, cutOff.url, "memory:"]) {
    const { code, stdout, stderr } = await runCommand("doctor", url);
    expect([url, code, stdout]).toEqual([url, 2, ""]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  }
});

test("[B3] a folder is no store, not a broken disk", async () => {
  const url = `sqlite:${tempDir()}`;
  expect(await runCommand("doctor", url)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no file"),
  });
});

test("[B3] the -wal of a file that was cut off to nothing is still there after a look", async () => {
  const { path, url } = tempDatabase();
  writeFileSync(path, "");
  writeFileSync(`${path}-wal`, "all that is left");
  for (const look of ["doctor", "backup", "export"] as const) {
    const { code, stderr } = await runCommand(look, url, ...(look === "doctor" ? [] : ["x"]));
    expect([look, code, stderr]).toEqual([
      look,
      look === "doctor" ? 2 : 1,
      expect.stringContaining("0 bytes"),
    ]);
  }
  expect(readFileSync(`${path}-wal`, "utf8")).toBe("all that is left");
});

test("[B3] a room whose name has a flipped bit is told, and the looking ends", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a"], { compacted: 1 });
  await storeText(url, "sound", ["a"], { compacted: 1 });
  tamper(path, "UPDATE documents SET name = CAST(x'f26f6f6d' AS TEXT) WHERE name = 'room'");
  const { code, diagnosis } = await doctor(url);
  expect([code, diagnosis.rooms]).toEqual([1, 2]);
  expect(diagnosis.problems).toMatchObject([{ room: "\uFFFDoom", part: "room" }]);
});

test("[B3] rows that are no room at all are told", async () => {
  const { path, url } = tempDatabase();
  tamper(path, "CREATE TABLE documents (name, data)");
  tamper(path, "INSERT INTO documents VALUES (NULL, x'0000'), (5, x'0000'), ('null', NULL), ('text', '00')");
  const { code, diagnosis } = await doctor(url);
  expect([code, diagnosis.integrity]).toEqual([1, [expect.stringMatching(/^4 rooms/)]]);
  expect(diagnosis.problems.map(({ room }) => room)).toEqual(["null", "text"]);
});

test("[B3] what changes between the look and the repair is not moved, and not called repaired", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a"], { compacted: 1 });
  tamper(path, "UPDATE documents SET data = x'0101'");
  const survey = await openSurvey(url);
  const repair = await openRepair(url);
  onTestFinished(() => survey.close());
  const { problems, quarantine } = await diagnose({
    survey,
    openRepair: async () => ({
      setAside: (faults) => {
        tamper(path, "UPDATE documents SET data = x'0102'");
        return repair.setAside(faults);
      },
      close: () => repair.close(),
    }),
  });
  expect(problems).toMatchObject([{ part: "snapshot", isRepaired: false }]);
  expect(quarantine).toEqual([]);
});

test("[B3] a file of a stock server, without any table of ours, is looked at too", async () => {
  const { path, url } = tempDatabase();
  const stock = new SQLite({ database: path });
  await stock.onConfigure();
  const doc = new Y.Doc();
  doc.getText("text").insert(0, "stock");
  const state = Buffer.from(Y.encodeStateAsUpdate(doc));
  await stock.configuration.store({ documentName: "room", state } as never);
  stock.db?.close();
  expect(await doctor(url)).toMatchObject({ code: 0, diagnosis: { rooms: 1, journalRows: 0 } });
});

test("[B3] a reader that goes away changes neither the work nor the exit code", async () => {
  const { url } = await faultyStore();
  const { child, ended } = startCommand("doctor", ["--repair"], { DATABASE_URL: url });
  child.stdout?.destroy();
  child.stderr?.destroy();
  expect((await ended).code).toBe(0);
  expect((await doctor(url)).diagnosis.quarantine).toHaveLength(4);
  expect(await storedText(url, "bad-row")).toBe("ab");
});

async function doctor(
  url: string,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly diagnosis: Diagnosis & { readonly isWell: boolean } }> {
  const { code, stdout } = await runCommand("doctor", url, "--json", ...args);
  return { code, diagnosis: JSON.parse(stdout) as Diagnosis & { isWell: boolean } };
}

async function faultyStore(): Promise<{ readonly path: string; readonly url: string }> {
  const database = tempDatabase();
  const { path, url } = database;
  await storeText(url, "good", ["a", "b"], { compacted: 1 });
  await storeText(url, "bad-row", ["a", "b", "c"]);
  await storeText(url, "bad-sum", ["a", "b", "c"]);
  await storeText(url, "bad-snapshot", ["a", "b", "c"], { compacted: 1 });
  await storeText(url, "bad-snapshot-sum", ["a", "b", "c"], { compacted: 1 });
  const last = "seq = (SELECT max(seq) FROM journal WHERE name = $1)";
  tamper(path, `UPDATE journal SET data = x'0101', sum = NULL WHERE ${last}`, { 1: "bad-row" });
  tamper(path, `UPDATE journal SET sum = sum + 1 WHERE ${last}`, { 1: "bad-sum" });
  tamper(path, "UPDATE documents SET data = x'0101' WHERE name = 'bad-snapshot'");
  tamper(path, "UPDATE snapshot_sums SET sum = sum + 1 WHERE name = 'bad-snapshot-sum'");
  return database;
}
