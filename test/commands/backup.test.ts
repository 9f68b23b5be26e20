import { linkSync, symlinkSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { writeThroughDraft } from "../../commands/draft-file.ts";
import { connect } from "../support/client.ts";
import { runCommand, startCommand } from "../support/command.ts";
import { diskOrder } from "../support/disk-order.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText, storeText, tamper } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const ROOMS = ["room-0", "room-1", "room-2"];
const BACKUPS = 3;
const noHardLinks = fileURLToPath(new URL("../support/no-hard-links.mjs", import.meta.url));

test("[B1] every edit acknowledged before a backup began is in it, while the server goes on writing", async () => {
  const { url } = tempDatabase();
  const dir = tempDir();
  // So much that a backup that began anew at each commit would not end.
  await storeText(url, "large", ["x".repeat(20_000_000)]);
  const server = await startProcess({ DATABASE_URL: url });
  const acknowledged = new Map<string, number>();
  for (const room of ROOMS) {
    const writer = await connect({ url: server.url, name: room }).synced();
    let next = 0;
    const edit = (): void => void writer.tasks.set(`edit ${next++}`, true);
    writer.provider.on("unsyncedChanges", ({ number }: { number: number }) => {
      if (number > 0) return;
      acknowledged.set(room, next);
      edit();
    });
    edit();
  }
  for (let round = 0; round < BACKUPS; round++) {
    const file = join(dir, `${round}.sqlite`);
    await until("more edits", () => ROOMS.every((room) => (acknowledged.get(room) ?? 0) > 5 * (round + 1)));
    const before = new Map(acknowledged);
    expect(await runCommand("backup", url, file)).toMatchObject({ code: 0 });
    expect(ROOMS.some((room) => acknowledged.get(room) !== before.get(room))).toBe(true);
    const restored = await startProcess({ DATABASE_URL: `sqlite:${file}` });
    for (const room of ROOMS) {
      const reader = await connect({ url: restored.url, name: room }).synced();
      const there = Array.from({ length: before.get(room) ?? 0 }, (_, index) =>
        reader.tasks.has(`edit ${index}`),
      );
      expect(there.length).toBeGreaterThan(0);
      expect(there.every(Boolean)).toBe(true);
    }
    await restored.ended("SIGTERM");
  }
}, 60_000);

test("[B1] a backup is one file that stands alone, and says what it holds", async () => {
  const { url, file } = await smallStore();
  const { code, stdout } = await runCommand("backup", url, file);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^.*copy\.sqlite: 1 rooms, [\d.]+ kB\n$/);
  expect(readdirSync(dirname(file))).toEqual([basename(file)]);
  expect(await storedText(`sqlite:${file}`, "room")).toBe("abc");
});

test("[B1] [B2] a backup, and what is restored, is on the disk before it has its name, and its name is before anybody is told", async () => {
  const dir = tempDir();
  const path = join(dir, "copy.sqlite");
  const order = diskOrder();
  const write = async (draft: string): Promise<void> => writeFileSync(draft, "all of it");
  for (const force of [false, true]) await writeThroughDraft({ path, force, write });
  const once = [`fsync ${path}.partial-${process.pid}`, `name ${path}`, `fsync ${dir}`];
  expect(order).toEqual([...once, ...once]);
});

test("[B1] a file that exists is replaced only with --force", async () => {
  const { url, file } = await smallStore();
  writeFileSync(file, "precious");
  const refused = await runCommand("backup", url, file);
  expect(refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("--force") });
  expect(readFileSync(file, "utf8")).toBe("precious");
  expect(await runCommand("backup", url, "--force", file)).toMatchObject({ code: 0 });
  expect(await storedText(`sqlite:${file}`, "room")).toBe("abc");
});

test("[B1] a file that somebody has open, or that has a -wal beside it, is not replaced", async () => {
  const { url, file } = await smallStore();
  await storeText(`sqlite:${file}`, "other", ["x"]);
  const user = new Database(file);
  onTestFinished(() => void user.close());
  user.pragma("journal_mode = WAL");
  expect(await runCommand("backup", url, "--force", file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("open"),
  });
  const alone = `${file}.2`;
  writeFileSync(`${alone}-wal`, "pages of another database");
  expect(await runCommand("backup", url, alone)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("-wal"),
  });
  expect(existsSync(alone)).toBe(false);
});

test("[B1] a disk without hard links takes a backup, and keeps what is there", async () => {
  const { url, file } = await smallStore();
  const env = { DATABASE_URL: url, NODE_OPTIONS: `--import ${noHardLinks}` };
  expect(await startCommand("backup", [file], env).ended).toMatchObject({ code: 0 });
  expect(await storedText(`sqlite:${file}`, "room")).toBe("abc");
  expect(await startCommand("backup", [file], env).ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--force"),
  });
});

test("[B1] the store itself, and a store in memory, are refused", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a"]);
  const link = join(tempDir(), "link.sqlite");
  symlinkSync(path, link);
  const hardLink = join(tempDir(), "hard-link.sqlite");
  linkSync(path, hardLink);
  for (const file of [path, link, hardLink, `${path}-wal`]) {
    expect(await runCommand("backup", url, "--force", file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is the store itself"),
    });
  }
  expect(await runCommand("backup", "memory:", join(tempDir(), "x"))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("memory"),
  });
});

test.for(["SIGKILL", "SIGINT"] as const)(
  "[B1] a backup that ends by %s leaves no file of that name",
  { timeout: 60_000 },
  async (signal) => {
    const { url, path } = tempDatabase();
    await storeText(url, "room", ["abc"]);
    tamper(path, "INSERT INTO documents (name, data) VALUES ('ballast', zeroblob(300000000))");
    const dir = tempDir();
    const file = join(dir, "copy.sqlite");
    const { child, ended } = startCommand("backup", [file], { DATABASE_URL: url });
    await until("the backup under way", () => readdirSync(dir).some((name) => name.includes(".partial-")));
    child.kill(signal);
    expect(await ended).toMatchObject(signal === "SIGKILL" ? { signal } : { code: 130 });
    expect(existsSync(file)).toBe(false);
    if (signal === "SIGINT") expect(readdirSync(dir)).toEqual([]);
    else {
      const again = await runCommand("backup", url, file);
      expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining("interrupted run") });
    }
  },
);

async function smallStore(): Promise<{ readonly url: string; readonly file: string }> {
  const { url } = tempDatabase();
  await storeText(url, "room", ["a", "b", "c"], { compacted: 2 });
  return { url, file: join(tempDir(), "copy.sqlite") };
}
