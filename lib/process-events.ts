/** Signals and crashes of the process, turned into one orderly stop. */
import type { Log } from "./log.ts";

const FLUSH_PATIENCE_MS = 1000;

export interface StopOptions {
  /** The process may be broken: sends everybody away without the patience of a deploy. */
  readonly inHaste?: boolean;
}

export interface ProcessEventsOptions {
  readonly log: Log;
  /** Stops the server; resolves with the exit code. Called once. */
  readonly stop: (options: StopOptions) => Promise<number>;
}

/**
 * SIGTERM and SIGINT stop the server, a second one ends the process at once. An error that nobody caught stops it too, with exit
 * code 1: its state is unknown, so nobody is kept waiting, but what is acknowledged is on disk, and draining loses nobody's edits.
 */
export function handleProcessEvents({ log, stop }: ProcessEventsOptions): void {
  let stopping = false;
  let hasCrashed = false;

  const drain = (): void => {
    stopping = true;
    stop({ inHaste: hasCrashed }).then(
      (code) => exitAfterFlush(log, hasCrashed ? 1 : code),
      (error: unknown) => {
        log.fatal({ event: "stop-failed", err: error }, "🛑 The stop itself failed");
        exitAfterFlush(log, 1);
      },
    );
  };

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) {
        log.warn({ event: "stop-forced", signal }, `🛑 ${signal} again: ending at once`);
        process.exit(1);
      }
      drain();
    });
  }

  const crashed = (error: unknown): void => {
    log.fatal({ event: "crashed", err: error }, "Uncaught error: stopping");
    hasCrashed = true;
    if (!stopping) drain();
  };
  process.on("uncaughtException", crashed);
  process.on("unhandledRejection", crashed);
}

/** The log is written asynchronously: a line on its way would be lost, or come after the last one. A collector that hangs does not hold up. */
function exitAfterFlush(log: Log, code: number): void {
  setTimeout(() => process.exit(code), FLUSH_PATIENCE_MS);
  log.flush(() => process.exit(code));
}
