/**
 * An orderly stop that ends: steps in order under one deadline. A step that hangs or fails is named in the log and the next one runs;
 * stock Hocuspocus waits for ever in seven situations.
 */
import type { Log } from "./log.ts";

export interface ShutdownStep {
  readonly name: string;
  /** The signal fires at the deadline: stop waiting, keep what is safe. */
  readonly run: (deadline: AbortSignal) => Promise<unknown>;
}

export async function runShutdown(
  steps: readonly ShutdownStep[],
  { deadlineMs, log }: { readonly deadlineMs: number; readonly log: Log },
): Promise<void> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const expired = new Promise<"expired">((resolve) => {
    deadline.addEventListener("abort", () => resolve("expired"), { once: true });
  });
  for (const { name, run } of steps) {
    try {
      const outcome = await Promise.race([run(deadline), expired]);
      if (outcome === "expired")
        log.error({ event: "stop-incomplete", step: name }, `🛑 Out of time: ${name}`);
    } catch (error) {
      log.error({ event: "stop-incomplete", step: name, err: error }, `🛑 Failed: ${name}`);
    }
  }
}
