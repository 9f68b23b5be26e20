/** The commands on a real Postgres. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Diagnosis } from "../../commands/diagnosis.ts";
import { openSurvey } from "../../storage/open-survey.ts";
import { replacePostgresRooms } from "../../storage/postgres-replacement.ts";
import { StorageError } from "../../storage/store.ts";
import { connect } from "../support/client.ts";
import { runCommand, startCommand } from "../support/command.ts";
import { PASSWORD } from "../support/postgres-cluster.ts";
import { usePostgres } from "../support/postgres.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText, storeText } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const postgres = usePostgres();

test("[B1] a backup of Postgres has every edit acknowledged before it began, and a server opens it as SQLite", async () => {
  const url = postgres.newDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const writer = await connect({ url: server.url, name: "room" }).synced();
  let acknowledged = 0;
  let next = 0;
  const edit = (): void => void writer.tasks.set(`edit ${next++}`, true);
  writer.provider.on("unsyncedChanges", ({ number }: { number: number }) => {
    if (number > 0) return;
    acknowledged = next;
    edit();
  });
  edit();
  await until("edits", () => acknowledged > 10);
  const before = acknowledged;
  const file = join(tempDir(), "copy.sqlite");
  expect(await runCommand("backup", url, file)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("1 rooms"),
  });
  const restored = await startProcess({ DATABASE_URL: `sqlite:${file}` });
  const reader = await connect({ url: restored.url, name: "room" }).synced();
  for (let index = 0; index < before; index++) expect(reader.tasks.has(`edit ${index}`)).toBe(true);
});

test("[B1] [B2] a backup goes back into Postgres, and what was there is kept in a schema", async () => {
  const url = postgres.newDatabase();
  await storeText(url, "room", ["back", "up", "!"], { compacted: 1 });
  await postgres.query(url, "INSERT INTO quarantine VALUES (70, 'room', 'x', 1, 'ana', NULL, 'why', 2)");
  const file = join(tempDir(), "copy.sqlite");
  expect(await runCommand("backup", url, file)).toMatchObject({ code: 0 });

  const target = postgres.newDatabase();
  expect(await runCommand("restore", target, file)).toMatchObject({ code: 0 });
  expect(await storedText(target, "room")).toBe("backup!");
  // What comes later has numbers above those of the quarantine.
  await storeText(target, "later", ["x"]);
  expect(await postgres.query(target, "SELECT seq > 70 AS above FROM journal WHERE name = 'later'")).toEqual([
    { above: true },
  ]);
  expect(await runCommand("restore", target, file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("2 rooms; --force"),
  });
  const { code, stdout } = await runCommand("restore", target, "--force", file);
  expect(code).toBe(0);
  const schema = /kept as schema (\S+)/.exec(stdout)?.[1];
  expect(await postgres.query(target, `SELECT DISTINCT name FROM ${schema}.journal ORDER BY name`)).toEqual([
    { name: "later" },
    { name: "room" },
  ]);
  expect(await storedText(target, "later")).toBe("");
  expect(await storedText(target, "room")).toBe("backup!");
  await storeText(`sqlite:${file}`, "later", ["x"]);
  expect((await diagnosed(`sqlite:${file}`)).quarantine).toMatchObject([{ seq: 70 }]);
});

test("[B2] a Postgres store that a server is connected to is refused, with --force too", async () => {
  const backup = tempDatabase();
  await storeText(backup.url, "room", ["a"]);
  const url = postgres.newDatabase();
  const server = await startProcess({ DATABASE_URL: url });
  const client = await connect({ url: server.url, name: "mine" }).synced();
  client.text.insert(0, "x");
  await client.saved();
  expect(await runCommand("restore", url, "--force", backup.path)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("stop the server"),
  });
  client.text.insert(0, "y");
  await client.saved();
});

test("[B3] the doctor finds and moves what does not decode in Postgres", async () => {
  const url = postgres.newDatabase();
  await storeText(url, "good", ["a"], { compacted: 1 });
  await storeText(url, "bad", ["a", "b"], { compacted: 1 });
  await storeText(url, "rows", ["a", "b"]);
  await postgres.query(url, "UPDATE documents SET data = '\\x0101' WHERE name = 'bad'");
  await postgres.query(
    url,
    "UPDATE journal SET sum = sum + 1 WHERE seq = (SELECT max(seq) FROM journal WHERE name = 'rows')",
  );
  const found = await runCommand("doctor", url);
  expect(found.code).toBe(1);
  expect(found.stdout).toMatch(/"bad": snapshot: it does not decode/);
  expect(found.stdout).toMatch(/"rows": journal row \d+: its checksum does not match/);
  expect(found.stdout + found.stderr).not.toContain(encodeURIComponent(PASSWORD));
  expect(await runCommand("doctor", url, "--repair")).toMatchObject({ code: 0 });
  const after = await diagnosed(url);
  expect(after.problems).toEqual([]);
  expect(after.quarantine).toMatchObject([
    { room: "bad", seq: -1, reason: expect.stringMatching(/^snapshot: /) },
    { room: "rows", seq: expect.any(Number) },
  ]);
  expect(await storedText(url, "rows")).toBe("a");
});

test("[B1] a backup of Postgres that is refused ends", async () => {
  const url = postgres.newDatabase();
  await storeText(url, "room", ["a"]);
  const file = join(tempDir(), "copy.sqlite");
  writeFileSync(`${file}-wal`, "of another database");
  expect(await runCommand("backup", url, file)).toMatchObject({ code: 1 });
  await postgres.query(url, "UPDATE collab_schema SET version = 1000");
  expect(await runCommand("backup", url, `${file}.2`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("newer version"),
  });
});

test("[B3] a Postgres that is no store, or cannot be reached, is exit code 2", async () => {
  const url = postgres.newDatabase();
  expect(await runCommand("doctor", url)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no store"),
  });
  await postgres.stop();
  const { code, stderr } = await runCommand("doctor", url);
  expect([code, stderr]).toEqual([2, expect.stringContaining("ECONNREFUSED")]);
  expect(stderr).not.toContain(PASSWORD);
  // The resolver's error repeats what it was asked for.
  const inHost = await runCommand("doctor", "postgres://ana:hunter2@hunter2.invalid/rooms");
  expect([inHost.code, inHost.stderr]).toEqual([2, expect.not.stringContaining("hunter2")]);
});

test("[B4] [B5] rooms go out of and into Postgres", async () => {
  const url = postgres.newDatabase();
  await storeText(url, "room", ["a", "b"]);
  const folder = tempDir();
  const { code, bytes } = await runCommand("export", url, "room");
  expect(code).toBe(0);
  writeFileSync(join(folder, "copy.bin"), bytes);
  expect(await runCommand("import", url, folder)).toMatchObject({ code: 0 });
  expect(await storedText(url, "copy")).toBe("ab");
});

test("[B4] a name that Postgres cannot hold is left behind alone", async () => {
  const url = postgres.newDatabase();
  const source = tempDatabase();
  for (const room of ["a\0b", "sound"]) await storeText(source.url, room, ["x"]);
  const env = { DATABASE_URL: url, ROOM_NAME_PATTERN: "[^/]+" };
  expect(await startCommand("import", [source.path], env).ended).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("Imported 1 rooms"),
    stderr: expect.stringContaining('Left behind: "a\\u0000b"'),
  });
  expect(await storedText(url, "sound")).toBe("x");
  expect(await runCommand("restore", url, "--force", source.path)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"a\\u0000b"'),
  });
  expect(await storedText(url, "sound")).toBe("x");
});

test("[B2] a restore into Postgres that is cut off changes nothing, and the next one works", async () => {
  const url = postgres.newDatabase();
  await storeText(url, "former", ["precious"]);
  const source = tempDatabase();
  await storeText(source.url, "room", ["backup"]);
  const backup = await openSurvey(source.url);
  onTestFinished(() => backup.close());
  const replaced = replacePostgresRooms({
    databaseUrl: url,
    backup: {
      ...backup,
      async *quarantine() {
        yield* backup.quarantine();
        await postgres.terminateBackends(url);
      },
    },
    force: true,
    onProgress: () => {},
  });
  await expect(replaced).rejects.toThrow(StorageError);
  expect(await storedText(url, "former")).toBe("precious");
  expect(await storedText(url, "room")).toBe("");
  const schemas = "SELECT FROM pg_namespace WHERE nspname LIKE 'before_restore%'";
  expect(await postgres.query(url, schemas)).toEqual([]);
  expect(await runCommand("restore", url, "--force", source.path)).toMatchObject({ code: 0 });
  expect(await storedText(url, "room")).toBe("backup");
});

async function diagnosed(url: string): Promise<Diagnosis> {
  return JSON.parse((await runCommand("doctor", url, "--json")).stdout) as Diagnosis;
}
