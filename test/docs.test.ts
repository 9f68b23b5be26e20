/** What the documents say is what the code says. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { closeReasons } from "../lib/close-reasons.ts";
import { helpText } from "../lib/option-docs.ts";
import { options } from "../lib/options.ts";
import { generatedDocs } from "../scripts/generated-docs.ts";
import { ServerProcess } from "./support/server-process.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

test("every rule of docs/SPEC.md has a test that carries its number, and every number in a test is a rule", () => {
  const spec = readFileSync(`${root}docs/SPEC.md`, "utf8");
  const rules = [...spec.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map((match) => match[1]);
  const tests = readdirSync(`${root}test`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => [...readFileSync(`${root}test/${name}`, "utf8").matchAll(/["`](?:\[[A-Z]\d+\] )+/g)])
    .flatMap((match) => [...match[0].matchAll(/[A-Z]\d+/g)].map(([id]) => id));
  expect([...new Set(tests)].toSorted()).toEqual(rules.toSorted());
  expect(new Set(rules).size).toBe(rules.length);
});

test.for(["ARCHITECTURE.md", "SECURITY.md"])("every rule that %s names is one of docs/SPEC.md", (name) => {
  const rules = new Set(readFileSync(`${root}docs/SPEC.md`, "utf8").match(/(?<=^- \*\*)[A-Z]\d+/gm));
  const named = readFileSync(`${root}docs/${name}`, "utf8").match(/\b[A-FH-Z]\d+\b/g) ?? [];
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((rule) => !rules.has(rule))).toEqual([]);
});

test.for(generatedDocs().map((doc) => [basename(doc.path), doc] as const))(
  "[C7] [R1] %s is what `npm run docs` writes",
  ([, { current, expected }]) => {
    expect(current).toBe(expected);
  },
);

test("[C7] --help names every variable", async () => {
  const server = new ServerProcess({}, ["--help"]);
  expect((await server.ended()).code).toBe(0);
  for (const { name } of Object.values(options)) expect(helpText()).toContain(`  ${name} `);
  expect(server.lines.map((line) => line.msg).join("\n")).toBe(helpText().trimEnd());
});

test("[R1] our own codes ask to come back, and reasons are unique", () => {
  const reasons = Object.values(closeReasons);
  for (const { code, retry } of reasons)
    if (code >= 4500) expect([code, retry, code < 4600]).toEqual([code, true, true]);
  expect(new Set(reasons.map(({ reason }) => reason)).size).toBe(reasons.length);
});
