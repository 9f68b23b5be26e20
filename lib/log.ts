/**
 * The log: one structured line per event. Emoji live in the message, everything a machine reads in fields
 * (`event`, `room`, `user`, `connections`). Tokens and document content are never logged.
 */
import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import { ClientLines } from "./client-lines.ts";

export type Log = Logger;

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "pretty" | "json";
}

/**
 * JSON goes to stdout asynchronously and is flushed at exit: a synchronous write to a full pipe sleeps 100 ms at a time, and then a
 * slow log collector stops the event loop. What waits for the collector is bounded; beyond that lines are dropped, not editors.
 */
export function createLog({ level, format }: LogOptions): Log {
  if (format === "json") {
    return pino(
      { level, base: null },
      pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES }),
    );
  }
  const stream = pretty({ colorize: true, singleLine: true, sync: true, ignore: "pid,hostname,event" });
  return pino({ level, base: null }, stream);
}

/**
 * Hocuspocus, y-protocols and crossws report through `console`. Without this their lines would be the only unstructured ones
 * in a JSON log, and a log collector would lose exactly the errors.
 */
export function routeConsole(log: Log): void {
  // Most of them are about what a client sent.
  const lines = new ClientLines(log);
  const write =
    (level: "debug" | "warn" | "error") =>
    (...parts: readonly unknown[]): void => {
      const error = parts.find((part) => part instanceof Error);
      const text = parts.filter((part) => typeof part === "string").join(" ");
      lines.write(level, { event: "library", ...(error && { err: error }) }, text || "(no text)");
    };
  Object.assign(console, {
    log: write("debug"),
    info: write("debug"),
    warn: write("warn"),
    error: write("error"),
  });
}
