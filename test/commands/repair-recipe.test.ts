/** What the README says at 3 a.m., step by step, beside a server that runs. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect } from "../support/client.ts";
import { runCommand } from "../support/command.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText, storeText, tamper } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";

test("[B3] [B4] [B5] a room with a damaged snapshot comes back from a backup, and is never shown empty on the way", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "team/plan", ["from ", "the ", "backup"], { compacted: 2 });
  const dir = tempDir();
  const backup = join(dir, "good.sqlite");
  expect(await runCommand("backup", url, backup)).toMatchObject({ code: 0 });
  tamper(path, "UPDATE documents SET data = x'0101'");
  tamper(path, "DELETE FROM snapshot_sums");

  const server = await startProcess({ DATABASE_URL: url });
  const waiting = connect({ url: server.url, name: "team/plan" });
  const seen: string[] = [];
  waiting.provider.on("synced", () => seen.push(waiting.content));
  await server.logged("a refusal", ({ reason }) => reason === "storage-unavailable");

  expect(await runCommand("backup", url, join(dir, "as-found.sqlite"))).toMatchObject({ code: 0 });
  const rooms = join(dir, "rooms");
  mkdirSync(rooms);
  const file = join(rooms, "team%2Fplan.bin");
  const from = ["--database", `sqlite:${backup}`] as const;
  expect(await runCommand("export", url, "team/plan", ...from, "--output", file)).toMatchObject({ code: 0 });
  expect(await runCommand("import", url, rooms)).toMatchObject({ code: 0 });
  expect(await runCommand("doctor", url, "--repair")).toMatchObject({ code: 0 });
  expect(await runCommand("doctor", url)).toMatchObject({ code: 0 });
  await waiting.synced();
  expect(seen).toEqual(["from the backup"]);
});

test("[B3] a backup that was repaired still stands alone", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a", "b"]);
  const backup = join(tempDir(), "backup.sqlite");
  tamper(path, "UPDATE journal SET data = x'0101', sum = NULL WHERE seq = 2");
  expect(await runCommand("backup", url, backup)).toMatchObject({ code: 0 });
  expect(await runCommand("doctor", `sqlite:${backup}`, "--repair")).toMatchObject({ code: 0 });
  const copy = join(tempDir(), "copy.sqlite");
  copyFileSync(backup, copy);
  expect(await runCommand("doctor", `sqlite:${copy}`)).toMatchObject({ code: 0 });
  expect(await storedText(`sqlite:${copy}`, "room")).toBe("a");
});

test("[B1] [B5] a folder that is not there is not made", async () => {
  const { url } = tempDatabase();
  await storeText(url, "room", ["a"]);
  const file = join(tempDir(), "not-mounted", "file");
  const refused = { code: 1, stderr: expect.stringContaining("There is no folder") };
  expect(await runCommand("backup", url, file)).toMatchObject(refused);
  expect(await runCommand("export", url, "room", "--output", file)).toMatchObject(refused);
});
