/** The composition of `server.ts` inside the test process, for what needs hooks or the document at hand. */
import { onTestFinished } from "vitest";
import { readConfig } from "../../lib/config.ts";
import { startServer, type RunningServer, type StartOptions } from "../../server.ts";
import { captureLog, type CapturedLog } from "./captured-log.ts";

export interface Composition extends RunningServer {
  readonly url: string;
  readonly log: CapturedLog;
}

/** Starts a server on a free port; it is stopped with the test. */
export async function startComposition(
  env: Readonly<Record<string, string>> = {},
  extensions: StartOptions["extensions"] = [],
  options: Pick<StartOptions, "heartbeat" | "timing" | "presenceTiming"> = {},
): Promise<Composition> {
  const config = readConfig({
    PORT: "0",
    HOST: "127.0.0.1",
    DATABASE_URL: "memory:",
    LOG_LEVEL: "debug",
    SHUTDOWN_SECONDS: "5",
    ...env,
  });
  const log = captureLog();
  const server = await startServer({ ...options, config, log: log.log, extensions });
  let stopped: Promise<number> | null = null;
  const stop = (): Promise<number> => (stopped ??= server.stop());
  onTestFinished(async () => {
    await stop();
  });
  return { ...server, stop, log, url: `ws://127.0.0.1:${server.port}` };
}
