/** How the command lines of long runs begin: campaigns, and the bench. */

const EXIT_USAGE = 2;

export interface CommandLine<Options> {
  readonly usage: string;
  /** Null when help is asked for. @throws an Error that says what is wrong. */
  readonly parse: (args: string[]) => Options | null;
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** From here on Ctrl-C and SIGTERM exit, and exiting takes all children with it: each of them has a listener for that. */
export function exitOnSignals(): void {
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
}

/**
 * The options of this run; null when it was asked for help, which has been given then. Ends the process with code 2 where they make no
 * sense. Begins with `exitOnSignals`.
 */
export function beginRun<Options>({ usage, parse }: CommandLine<Options>): Options | null {
  exitOnSignals();
  try {
    const options = parse(process.argv.slice(2));
    if (options === null) say(usage);
    return options;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
    return process.exit(EXIT_USAGE);
  }
}

/** @throws an Error that names the option. */
export function whole(option: string, text: string, { least = 1 }: { readonly least?: number } = {}): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`--${option} must be a whole number of at least ${least}, not ${text}`);
  return value;
}
