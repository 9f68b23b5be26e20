import { describe } from "vitest";
import type { Binary, Missing } from "./debian-binary.ts";

/** Around the tests of a file that need it. Where it is missing they are skipped, but not where CI is set: nobody would notice there. */
export function describeWithBinary(
  found: Binary | Missing,
  name: string,
  tests: (binary: Binary) => void,
): void {
  if (!("missing" in found)) {
    describe(name, () => tests(found));
    return;
  }
  if (process.env["CI"]) throw new Error(found.missing);
  process.stderr.write(`SKIPPED, ${name}: ${found.missing}\n`);
  describe.skip(name, () => tests({ path: "", env: {} }));
}
