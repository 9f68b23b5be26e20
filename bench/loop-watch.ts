/** How long the event loop of another Node process stands still, seen from inside it through its inspector. */
import { evaluate } from "./inspector.ts";

/** Resolution 1 ms: what is reported includes that millisecond. */
const WATCH = `globalThis.loopDelay = process.getBuiltinModule("node:perf_hooks").monitorEventLoopDelay({ resolution: 1 }); loopDelay.enable();`;
const READ = `JSON.stringify({ p99: loopDelay.percentile(99) / 1e6, max: loopDelay.max / 1e6 })`;

/** ms */
export interface LoopDelay {
  p99: number;
  max: number;
}

export async function watchLoop(inspectorUrl: string): Promise<void> {
  await evaluate(inspectorUrl, WATCH);
}

/** Since `watchLoop`. */
export async function readLoop(inspectorUrl: string): Promise<LoopDelay> {
  return JSON.parse(String(await evaluate(inspectorUrl, READ)));
}
