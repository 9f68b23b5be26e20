/** The documents and parts of documents that are made from tables in the code. `npm run docs` writes them, a test compares them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { closeReasons } from "../lib/close-reasons.ts";
import { envExample, markdownTable } from "../lib/option-docs.ts";

export interface GeneratedDoc {
  /** Absolute. */
  readonly path: string;
  readonly current: string;
  readonly expected: string;
}

const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

export function generatedDocs(): GeneratedDoc[] {
  return [
    section("README.md", "options", markdownTable()),
    section("docs/SPEC.md", "close-reasons", closeReasonTable()),
    { path: pathOf(".env.example"), current: read(".env.example"), expected: envExample() },
  ];
}

/** Replaces what stands between `<!-- id:begin … -->` and `<!-- id:end -->`. */
function section(name: string, id: string, content: string): GeneratedDoc {
  const current = read(name);
  const markers = new RegExp(`(<!-- ${id}:begin[^>]*-->)[^]*(<!-- ${id}:end -->)`);
  if (!markers.test(current)) throw new Error(`${name} has no section ${id}`);
  // A function, because `$` in the content would mean something in a replacement string.
  const expected = current.replace(
    markers,
    (_, begin: string, end: string) => `${begin}\n${content}\n${end}`,
  );
  return { path: pathOf(name), current, expected };
}

function closeReasonTable(): string {
  const rows = Object.values(closeReasons).map(
    ({ code, reason, retry, meaning }) =>
      `| ${code} | \`${reason}\` | ${retry ? "come back" : "final"} | ${meaning} |`,
  );
  return ["| Code | Reason | | When |", "|---|---|---|---|", ...rows].join("\n");
}

function read(name: string): string {
  try {
    return readFileSync(pathOf(name), "utf8");
  } catch {
    return "";
  }
}
