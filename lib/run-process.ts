/** `node server.ts`: arguments, configuration and log of the process around a server, and what it says when it cannot start. */
import { ConfigError, EXIT_CONFIG, readConfig, type Config } from "./config.ts";
import { createLog, routeConsole, type Log } from "./log.ts";
import { helpText } from "./option-docs.ts";
import { handleProcessEvents, type StopOptions } from "./process-events.ts";

export interface Startable {
  /** Resolves with the exit code. */
  stop(options: StopOptions): Promise<number>;
}

/** Starts a server and keeps the process for it. A team with extensions of its own calls this from an entry file of its own. */
export async function runProcess(
  start: (parts: { readonly config: Config; readonly log: Log }) => Promise<Startable>,
): Promise<void> {
  if (process.argv.includes("--help")) {
    process.stdout.write(helpText());
    return;
  }
  try {
    const config = readConfig();
    const log = createLog({ level: config.logLevel, format: config.logFormat });
    routeConsole(log);
    let server: Startable | null = null;
    // Before it has started: nothing is there to be saved yet, and a start that hangs must not hold up a stop.
    handleProcessEvents({ log, stop: async (options) => (server ? server.stop(options) : 0) });
    server = await start({ config, log });
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
  }
}

/** One clear line for what an operator meets at 3 a.m. */
function startFailure(error: unknown): string {
  const { code, message, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === "EADDRINUSE") {
    return `Port ${port} is in use by another program: stop that one, or set PORT to a free port.`;
  }
  if (code === "EACCES" && port) {
    return `Port ${port} needs more rights than this user has: set PORT to one above 1023.`;
  }
  if (error instanceof ConfigError) return message;
  const { cause } = error as Error;
  return `Could not start: ${message}${cause instanceof Error ? `: ${cause.message}` : ""}`;
}
