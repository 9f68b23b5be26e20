import {
  chmodSync,
  chownSync,
  statSync,
  symlinkSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../../storage/open-store.ts";
import { occupy, StoreBroken } from "../../storage/sqlite-occupation.ts";
import { Writer } from "../storage/store-contract.ts";
import { connect } from "../support/client.ts";
import { runCommand, startCommand } from "../support/command.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText, storeText, tamper } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const killAtFileCall = fileURLToPath(new URL("../support/kill-at-file-call.mjs", import.meta.url));

test("[B2] a server opens what was restored, with every room", async () => {
  const { file } = await backup();
  const { url } = tempDatabase();
  const { code, stdout } = await runCommand("restore", url, file);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`1 rooms from ${file}`)]);
  const server = await startProcess({ DATABASE_URL: url });
  expect((await connect({ url: server.url, name: "room" }).synced()).content).toBe("backup");
});

test("[B2] a store that a server has open is refused, with --force too, and the server goes on", async () => {
  const { file } = await backup();
  const { url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "mine" }).synced();
  for (const args of [[file], ["--force", file]]) {
    expect(await runCommand("restore", url, ...args)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("stop the server"),
    });
  }
  client.text.insert(0, "saved all the same");
  await client.saved();
  await server.ended("SIGTERM");
  expect(await storedText(url, "mine")).toBe("saved all the same");
});

test("[B2] a store with rooms is replaced only with --force, and kept aside", async () => {
  const { file } = await backup();
  const { path, url } = tempDatabase();
  await storeText(url, "former", ["precious"]);
  expect(await runCommand("restore", url, file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--force"),
  });
  expect(await storedText(url, "former")).toBe("precious");
  const { code, stdout } = await runCommand("restore", url, "--force", file);
  expect(code).toBe(0);
  const [aside] = keptAside(path);
  expect(stdout).toContain(`kept as ${aside}`);
  expect(await storedText(`sqlite:${aside}`, "former")).toBe("precious");
  expect(await storedText(url, "room")).toBe("backup");
});

test("[B2] a store behind a link is replaced where it is, and keeps its mode, and for root its owner", async () => {
  const { file } = await backup();
  const { path } = tempDatabase();
  const link = join(tempDir(), "link.sqlite");
  await storeText(`sqlite:${path}`, "former", ["x"]);
  chmodSync(path, 0o640);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(path, 1234, 1235);
  const { mode, uid, gid } = statSync(path);
  symlinkSync(path, link);
  expect(await runCommand("restore", `sqlite:${link}`, "--force", file)).toMatchObject({ code: 0 });
  expect(statSync(path)).toMatchObject({ mode, uid, gid });
  expect(await storedText(`sqlite:${path}`, "room")).toBe("backup");
});

test("[B2] edits of a store that was killed, which are in its -wal alone, are kept aside too", async () => {
  const { file } = await backup();
  const { path, url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "room" }).synced();
  client.text.insert(0, "in the wal");
  await client.saved();
  client.leave();
  await server.ended("SIGKILL");
  expect(existsSync(`${path}-wal`)).toBe(true);
  expect(await runCommand("restore", url, "--force", file)).toMatchObject({ code: 0 });
  expect(await storedText(`sqlite:${keptAside(path)[0]}`, "room")).toBe("in the wal");
  expect(await storedText(url, "room")).toBe("backup");
});

test("[B2] kill -9 at any step of a restore leaves the former store or the backup, whole, and the former rooms", async () => {
  const { file } = await backup();
  const outcomes: string[] = [];
  for (let call = 0; ; call++) {
    const { path, url } = await killedStore("former");
    const env = {
      DATABASE_URL: url,
      KILL_AT_FILE_CALL: String(call),
      NODE_OPTIONS: `--import ${killAtFileCall}`,
    };
    const { code } = await startCommand("restore", ["--force", file], env).ended;
    const text = await storedText(url, "room");
    outcomes.push(text);
    // While both names are the former file's it is the same one.
    const former = text === "former" ? path : keptAside(path)[0];
    expect(await storedText(`sqlite:${former}`, "room")).toBe("former");
    if (code === 0) break;
    expect(await runCommand("restore", url, "--force", file)).toMatchObject({ code: 0 });
    expect(await storedText(url, "room")).toBe("backup");
  }
  expect(outcomes).toEqual(["former", "former", "former", "former", "backup", "backup"]);
}, 60_000);

test("[B2] a store that is broken is kept aside with all its files, and its -wal does not get into the new one", async () => {
  const { file } = await backup();
  const { path, url } = tempDatabase();
  writeFileSync(path, "no database at all, whatever it was before");
  writeFileSync(`${path}-wal`, "its log");
  expect(await runCommand("restore", url, file)).toMatchObject({ code: 1 });
  expect(await runCommand("restore", url, "--force", file)).toMatchObject({ code: 0 });
  const kept = keptAside(path).toSorted();
  expect(kept.map((name) => readFileSync(name, "utf8"))).toEqual([
    "no database at all, whatever it was before",
    "its log",
  ]);
  expect(await storedText(url, "room")).toBe("backup");
});

test("[B2] a store that begins in an empty place while the backup is copied is not replaced", async () => {
  const { file } = await backup();
  tamper(file, "CREATE TABLE ballast AS SELECT zeroblob(200000000) AS data");
  const { path, url } = tempDatabase();
  const { ended } = startCommand("restore", [file], { DATABASE_URL: url });
  await until("the copy under way", () =>
    readdirSync(dirname(path)).some((name) => name.includes(".partial-")),
  );
  const server = openStore({ databaseUrl: url });
  onTestFinished(() => server.close());
  await server.append([new Writer().insert("mine", "new")]);
  expect(await ended).toMatchObject({ code: 1, stderr: expect.stringContaining("meanwhile") });
  expect(keptAside(path)).toEqual([]);
  await server.append([new Writer().insert("other", "and goes on")]);
  expect(await storedText(url, "mine")).toBe("new");
}, 60_000);

test("[B2] a store that this user may not write is refused, with --force too", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "former", ["precious"]);
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o444);
  // Root may write everything.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    expect(() => occupy(path)).toThrow("EACCES");
    expect(() => occupy(path)).not.toThrow(StoreBroken);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test("[B2] a backup that is not all readable is refused, with --force too, and the store is as it was", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "former", ["precious"]);
  const { file: sound } = await backup();
  const cases: Record<string, (file: string) => void> = {
    "does not decode": (file) => tamper(file, "UPDATE journal SET data = x'ff', sum = NULL"),
    checksum: (file) => tamper(file, "UPDATE journal SET sum = 1"),
    "newer version": (file) => tamper(file, "PRAGMA user_version = 1000"),
    "database disk image is malformed|not a database|problems": (file) => truncateSync(file, 8192),
    "not a database": (file) => writeFileSync(file, "x".repeat(5000)),
    "no file": (file) => renameSync(file, `${file}.gone`),
    "no store": (file) => {
      tamper(file, "DROP TABLE documents");
    },
  };
  for (const [reason, damage] of Object.entries(cases)) {
    const file = `${sound}.damaged`;
    copyFileSync(sound, file);
    damage(file);
    const { code, stderr } = await runCommand("restore", url, "--force", file);
    expect([reason, code, stderr]).toEqual([reason, 1, expect.stringMatching(reason)]);
  }
  expect(await storedText(url, "former")).toBe("precious");
  expect(keptAside(path)).toEqual([]);
}, 60_000);

/** A room whose edits are in the -wal alone, as after a kill. */
async function killedStore(text: string): Promise<{ readonly path: string; readonly url: string }> {
  const running = tempDatabase();
  const store = openStore({ databaseUrl: running.url });
  await store.append([new Writer().insert("room", text)]);
  const killed = tempDatabase();
  for (const suffix of ["", "-wal"]) copyFileSync(`${running.path}${suffix}`, `${killed.path}${suffix}`);
  await store.close();
  return killed;
}

async function backup(): Promise<{ readonly file: string }> {
  const { url } = tempDatabase();
  await storeText(url, "room", ["back", "up"], { compacted: 1 });
  const file = join(tempDir(), "backup.sqlite");
  expect(await runCommand("backup", url, file)).toMatchObject({ code: 0 });
  return { file };
}

function keptAside(path: string): string[] {
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.before-restore-`) && !name.endsWith("-shm"))
    .map((name) => join(dirname(path), name));
}
