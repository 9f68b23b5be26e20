import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { openStore } from "../../storage/open-store.ts";
import { runCommand } from "../support/command.ts";
import { storedText, storeText, tamper } from "../support/stored-room.ts";
import { tempDatabase, tempDir } from "../support/temp-dir.ts";

test("[B5] an exported update is the room, and imports elsewhere", async () => {
  const { url } = tempDatabase();
  await storeText(url, "team/plan", ["a", "b", "c"], { compacted: 2 });
  const folder = tempDir();
  const file = join(folder, "team%2Fplan.bin");
  expect(await runCommand("export", url, "team/plan", "--output", file)).toMatchObject({ code: 0 });
  const { code, bytes } = await runCommand("export", url, "team/plan");
  expect([code, bytes.equals(readFileSync(file))]).toEqual([0, true]);
  const elsewhere = tempDatabase();
  expect(await runCommand("import", elsewhere.url, folder)).toMatchObject({ code: 0 });
  expect(await storedText(elsewhere.url, "team/plan")).toBe("abc");
});

test("[B5] as JSON every root type is there, with its kind, and where that is a guess it says so", async () => {
  const doc = new Y.Doc();
  doc.getMap("map").set("key", { nested: [1, null] });
  doc.getMap("map").set("bytes", Uint8Array.of(1, 2));
  doc.getArray("array").push([1, "two"]);
  doc.getArray("maps").push([new Y.Map([["a", 1]])]);
  doc.getText("plain").insert(0, "plain");
  doc.getText("bold").insert(0, "bold", { bold: true });
  doc.getXmlFragment("xml").insert(0, [new Y.XmlElement("p")]);
  doc.getText("emptied").insert(0, "x");
  doc.getText("emptied").delete(0, 1);
  doc.getMap("__proto__").set("a", 1);
  doc.getText("card first").insert(0, "text");
  doc.getText("card first").insertEmbed(0, new Y.Map([["card", 1]]));
  doc.getMap("subdocument").set("notes", new Y.Doc({ guid: "notes-1" }));
  const { url } = tempDatabase();
  const store = openStore({ databaseUrl: url });
  await store.append([{ room: "room", update: Y.encodeStateAsUpdate(doc), at: Date.now(), author: "" }]);
  await store.close();
  const { code, stdout } = await runCommand("export", url, "room", "--format", "json");
  expect(code).toBe(0);
  const { room, roots } = JSON.parse(stdout) as { room: string; roots: Record<string, unknown> };
  expect(room).toBe("room");
  expect(Object.entries(roots).toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
    ["__proto__", { kind: "map", isGuess: false, value: { a: 1 } }],
    ["array", { kind: "array", isGuess: false, value: [1, "two"] }],
    [
      "bold",
      {
        kind: "text",
        isGuess: false,
        value: "bold",
        delta: [{ insert: "bold", attributes: { bold: true } }],
      },
    ],
    [
      "card first",
      { kind: "text", isGuess: false, value: "text", delta: [{ insert: { card: 1 } }, { insert: "text" }] },
    ],
    ["emptied", { kind: "unknown", isGuess: true, value: null }],
    ["map", { kind: "map", isGuess: false, value: { key: { nested: [1, null] }, bytes: "AQI=" } }],
    ["maps", { kind: "array", isGuess: true, value: [{ a: 1 }] }],
    ["plain", { kind: "text", isGuess: false, value: "plain" }],
    ["subdocument", { kind: "map", isGuess: false, value: { notes: { subdocument: "notes-1" } } }],
    ["xml", { kind: "xml", isGuess: true, value: "<p></p>" }],
  ]);
});

test("[B5] what cannot be read is left out, told, and exit code 1", async () => {
  const { path, url } = tempDatabase();
  await storeText(url, "room", ["a", "b"]);
  tamper(path, "UPDATE journal SET data = x'0101', sum = NULL WHERE seq = 2");
  const { code, stdout, stderr } = await runCommand("export", url, "room", "--format", "json");
  expect([code, stderr]).toEqual([1, expect.stringContaining("Left out: journal row 2")]);
  expect(JSON.parse(stdout)).toMatchObject({ roots: { text: { value: "a" } } });
});

test("[B5] a room that is not there is exit code 1, and a file that exists stays", async () => {
  const { url } = tempDatabase();
  await storeText(url, "room", ["a"]);
  const file = join(tempDir(), "room.bin");
  expect(await runCommand("export", url, "nobody", "--output", file)).toMatchObject({ code: 1, stdout: "" });
  expect(existsSync(file)).toBe(false);
  expect(await runCommand("export", url, "room", "--output", file)).toMatchObject({ code: 0 });
  const store = url.slice("sqlite:".length);
  expect(await runCommand("export", url, "room", "--output", store, "--force")).toMatchObject({ code: 1 });
  expect(await storedText(url, "room")).toBe("a");
  const args = ["room", "--format", "json", "--output", file] as const;
  expect(await runCommand("export", url, ...args)).toMatchObject({ code: 1 });
  expect(await runCommand("export", url, ...args, "--force")).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ room: "room" });
});
