/** What all commands share: arguments, `--help`, the database, exit codes, and what is said when something goes wrong. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { ConfigError, EXIT_CONFIG, readConfig } from "../lib/config.ts";

/** sysexits.h EX_USAGE. */
const EXIT_USAGE = 64;

export const EXIT_CODES_HELP = `  64  the arguments are wrong
  78  DATABASE_URL or --database is wrong`;

type Options = NonNullable<ParseArgsConfig["options"]>;

export interface Call<O extends Options> {
  readonly values: ReturnType<typeof parseArgs<{ options: O }>>["values"];
  /** The one argument; empty where the command takes none. */
  readonly argument: string;
  readonly databaseUrl: string;
  readonly roomNamePattern: RegExp;
}

export interface Command<O extends Options> {
  readonly help: string;
  readonly options: O;
  /** What the one argument is called; null where there is none. */
  readonly argument: string | null;
  /** For an error that `run` throws. */
  readonly failureCode?: number;
  /** Resolves with the exit code. */
  readonly run: (call: Call<O>) => Promise<number>;
}

/** The arguments do not say what to do. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Runs the process' command. Sets its exit code rather than exiting, so that all output leaves first. */
export async function runCommand<const O extends Options>(command: Command<O>): Promise<void> {
  outliveReaders();
  try {
    const call = parse(command);
    const code = call ? await command.run(call) : 0;
    // Output that was lost meanwhile stays a failure.
    process.exitCode = code || process.exitCode || 0;
    if (!call) process.stdout.write(`${command.help.trim()}\n`);
  } catch (error) {
    // Without its cause: that of a Postgres error may hold the password, which the message leaves out.
    process.stderr.write(`${(error as Error).message}\n`);
    if (error instanceof UsageError) process.exitCode = EXIT_USAGE;
    else if (error instanceof ConfigError) process.exitCode = EXIT_CONFIG;
    else process.exitCode = command.failureCode ?? 1;
  }
}

/** Null when help is asked for. */
function parse<O extends Options>({ options, argument }: Command<O>): Call<O> | null {
  const { values, positionals } = parsed({
    ...options,
    database: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values["help"] === true) return null;
  const wanted = argument === null ? 0 : 1;
  if (positionals.length !== wanted) {
    throw new UsageError(
      `${argument === null ? "No argument" : `One argument, ${argument},`} is expected, ${positionals.length} are given; see --help`,
    );
  }
  const { databaseUrl, roomNamePattern } = settings(values["database"] as string | undefined);
  return {
    values: values as Call<O>["values"],
    argument: positionals[0] ?? "",
    databaseUrl,
    roomNamePattern,
  };
}

function parsed(options: Options): {
  readonly values: Record<string, unknown>;
  readonly positionals: readonly string[];
} {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see --help`);
  }
}

/** The server's own reading, of what a command needs only: a backup machine has no JWT_SECRET. */
function settings(database: string | undefined): ReturnType<typeof readConfig> {
  // oxlint-disable-next-line node/no-process-env -- lib/config.ts reads the whole environment or what it is given
  const { DATABASE_URL, ROOM_NAME_PATTERN } = process.env;
  return readConfig({ DATABASE_URL: database ?? DATABASE_URL, ROOM_NAME_PATTERN });
}

/**
 * `| head` closes the pipe after ten lines. What the command does must not stop in the middle for that, so nothing more is said
 * and the work goes on. A disk that is full where the output goes is a failure like any other.
 */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") return;
      if (stream === process.stdout)
        process.stderr.write(`The output could not be written: ${error.message}\n`);
      process.exitCode = 1;
    });
  }
}
