import { fileURLToPath } from "node:url";
import { buildExamples } from "../../scripts/demo/build.ts";

/** Before the first test process starts. */
export default async function setup(): Promise<void> {
  // The server is started some hundred times: compiled once, it takes half the time.
  process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(
    new URL("../../node_modules/.cache/node", import.meta.url),
  );
  await buildExamples();
}
