import { buildExamples } from "../../scripts/demo/build.ts";

/** Built once for all tests. */
export default function setup(): Promise<void> {
  return buildExamples();
}
