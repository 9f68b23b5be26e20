import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SQLite } from "@hocuspocus/extension-sqlite";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { connect } from "../support/client.ts";
import { runCommand } from "../support/command.ts";
import { startProcess } from "../support/server-process.ts";
import { storedText, storeText, tamper } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";

test("[B4] the rooms of a stock file are merged into the store, and twice is once", async () => {
  const stock = await stockFile({ room: "stock", other: "only there" });
  const { url } = tempDatabase();
  await storeText(url, "room", ["ours"]);
  for (let round = 1; round <= 2; round++) {
    const { code, stdout } = await runCommand("import", url, stock);
    expect([code, stdout]).toEqual([0, expect.stringContaining("Imported 2 rooms")]);
  }
  expect(await storedText(url, "other")).toBe("only there");
  expect(["oursstock", "stockours"]).toContain(await storedText(url, "room"));
});

test("[B4] a running server shows what was imported when it loads the room", async () => {
  const stock = await stockFile({ room: "stock", open: "later" });
  const { url } = tempDatabase();
  const server = await startProcess({ DATABASE_URL: url, ROOM_IDLE_SECONDS: "0" });
  const inside = await connect({ url: server.url, name: "open" }).synced();
  inside.text.insert(0, "now ");
  await inside.saved();
  expect(await runCommand("import", url, stock)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("next time"),
  });
  expect((await connect({ url: server.url, name: "room" }).synced()).content).toBe("stock");
  expect(inside.content).toBe("now ");
  inside.leave();
  await server.logged("unloaded", ({ event, room }) => event === "room-unloaded" && room === "open");
  const again = await connect({ url: server.url, name: "open" }).synced();
  expect(["now later", "laternow "]).toContain(again.content);
});

test("[B4] a folder has a room in each file; what is none is left behind, told, and exit code 1", async () => {
  const folder = tempDir();
  writeFileSync(join(folder, "plain.bin"), updateWith("plain"));
  writeFileSync(join(folder, "team%2Fplan.yjs"), updateWith("percent"));
  writeFileSync(join(folder, "v1.2.update"), updateWith("dots"));
  writeFileSync(join(folder, "broken.bin"), "no update");
  writeFileSync(join(folder, "not allowed!.bin"), updateWith("x"));
  writeFileSync(join(folder, "constructor.bin"), updateWith("x"));
  writeFileSync(join(folder, "%zz.bin"), updateWith("x"));
  writeFileSync(join(folder, "readme.md"), "x");
  mkdirSync(join(folder, "folder.bin"));
  symlinkSync(join(folder, "nowhere"), join(folder, "link.bin"));
  const { url } = tempDatabase();
  const { code, stdout, stderr } = await runCommand("import", url, folder);
  expect([code, stdout]).toEqual([1, expect.stringContaining("Imported 3 rooms")]);
  const left = stderr.split("\n").filter((line) => line.startsWith("Left behind: "));
  expect(left.map((line) => line.split('"')[1]).toSorted()).toEqual(
    [
      "%zz.bin",
      "broken.bin",
      "constructor.bin",
      "folder.bin",
      "link.bin",
      "not allowed!.bin",
      "readme.md",
    ].toSorted(),
  );
  expect(await storedText(url, "plain")).toBe("plain");
  expect(await storedText(url, "team/plan")).toBe("percent");
  expect(await storedText(url, "v1.2")).toBe("dots");
});

test("[B4] rows of a file that are no rooms are left behind, each told, and the others are imported", async () => {
  const { path } = tempDatabase();
  tamper(path, "CREATE TABLE documents (name, data)");
  tamper(
    path,
    `INSERT INTO documents VALUES (NULL, x'0000'), (5, x'0000'), ('null', NULL), ('text', '00'), (CAST(x'ff61' AS TEXT), x'0000'),
       ('sound', $update)`,
    { update: updateWith("sound") },
  );
  const { url } = tempDatabase();
  const { code, stdout, stderr } = await runCommand("import", url, path);
  expect([code, stdout]).toEqual([1, expect.stringContaining("Imported 1 rooms")]);
  expect(stderr).toContain("2 rooms have names that are no text");
  for (const room of ["null", "text", "\uFFFDa"]) expect(stderr).toContain(`Left behind: "${room}"`);
  expect(await storedText(url, "sound")).toBe("sound");
});

test("[B4] --dry-run checks everything and writes nothing", async () => {
  const stock = await stockFile({ room: "stock" });
  const { url } = tempDatabase();
  expect(await runCommand("import", url, "--dry-run", stock)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Would import 1 rooms"),
  });
  expect(await runCommand("doctor", url)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no file"),
  });
});

test("[B4] a source that is not there, is no store, or is the store itself, is refused", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a"]);
  const garbage = join(tempDir(), "x.sqlite");
  writeFileSync(garbage, "garbage".repeat(100));
  for (const source of [path, garbage, `${path}.nowhere`]) {
    expect(await runCommand("import", url, source)).toMatchObject({ code: 1, stdout: "" });
  }
});

async function stockFile(texts: Readonly<Record<string, string>>): Promise<string> {
  const { path } = tempDatabase();
  const stock = new SQLite({ database: path });
  await stock.onConfigure();
  for (const [documentName, text] of Object.entries(texts)) {
    await stock.configuration.store({ documentName, state: Buffer.from(updateWith(text)) } as never);
  }
  stock.db?.close();
  return path;
}

function updateWith(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}
