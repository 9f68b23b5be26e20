import { pino } from "pino";
import type { Log } from "../../lib/log.ts";
import type { LogLine } from "./server-process.ts";

export interface CapturedLog {
  readonly log: Log;
  readonly lines: LogLine[];
  events(...names: readonly string[]): LogLine[];
}

/** A log whose lines a test can read. */
export function captureLog(): CapturedLog {
  const lines: LogLine[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) };
  return {
    log: pino({ level: "trace", base: null }, stream),
    lines,
    events: (...names) => lines.filter((line) => line.event && names.includes(line.event)),
  };
}
