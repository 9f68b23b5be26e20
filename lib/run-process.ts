/** `node server.ts`: arguments, configuration and log of the process around a server, and what it says when it cannot start. */
import { ConfigError, EXIT_CONFIG, readConfig, type Config } from "./config.ts";
import { createLog, routeConsole, type Log } from "./log.ts";
import { helpText } from "./option-docs.ts";
import { handleProcessEvents } from "./process-events.ts";

export interface Startable {
  /** Resolves with the exit code. */
  stop(): Promise<number>;
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
    const starting = start({ config, log });
    // Before it listens: an orchestrator may change its mind the moment it sees the port open.
    handleProcessEvents({ log, stop: async () => (await starting).stop() });
    await starting;
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
  return error instanceof ConfigError ? message : `Could not start: ${message}`;
}
