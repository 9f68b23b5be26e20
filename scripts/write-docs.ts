import { writeFileSync } from "node:fs";
import { generatedDocs } from "./generated-docs.ts";

for (const { path, current, expected } of generatedDocs()) {
  if (current === expected) continue;
  writeFileSync(path, expected);
  console.log(`Wrote ${path}`);
}
