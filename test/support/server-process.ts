/** The real server, `node server.ts`, as a child process on a free port, with its log read line by line. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { inherited } from "./inherited.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface LogLine {
  readonly event?: string;
  readonly msg: string;
  readonly level: number;
  readonly room?: string;
  readonly user?: string;
  readonly [field: string]: unknown;
}

export interface ProcessResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ms: number;
}

export class ServerProcess {
  readonly lines: LogLine[] = [];
  stderr = "";
  readonly #child: ChildProcess;
  readonly #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(env: Readonly<Record<string, string>>, args: readonly string[] = []) {
    this.#child = spawn(process.execPath, ["server.ts", ...args], {
      cwd: root,
      env: { ...inherited, PORT: "0", HOST: "127.0.0.1", LOG_FORMAT: "json", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    if (this.#child.stdout) {
      createInterface(this.#child.stdout).on("line", (line) => this.lines.push(parse(line)));
    }
    this.#exited = once(this.#child, "close").then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get port(): number {
    return this.lines.find((line) => line.event === "listening")?.["port"] as number;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  events(...names: readonly string[]): LogLine[] {
    return this.lines.filter((line) => line.event && names.includes(line.event));
  }

  /** The first log line, past or to come, that satisfies `predicate`. */
  logged(what: string, predicate: (line: LogLine) => boolean, timeoutMs = 15_000): Promise<LogLine> {
    return until(`log line: ${what}\n${this.stderr}`, () => this.lines.find(predicate), { timeoutMs });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Stands still until SIGCONT. A thread that has just been let go would otherwise run on for some milliseconds on a busy machine, far enough
   * to take the lock of an SQLite file and keep it.
   */
  async freeze(): Promise<void> {
    this.kill("SIGSTOP");
    const threads = `/proc/${this.pid}/task`;
    const isStopped = (thread: string): boolean =>
      /\) T /.test(readFileSync(`${threads}/${thread}/stat`, "utf8"));
    await until("all threads stopped", () => readdirSync(threads).every(isStopped));
  }

  /** Sends the signal, if one is given, and waits for the end. */
  async ended(signal?: NodeJS.Signals): Promise<ProcessResult> {
    const startedAt = performance.now();
    if (signal) this.kill(signal);
    return { ...(await this.#exited), ms: performance.now() - startedAt };
  }
}

/** Starts a server and waits until it listens. It is ended with the test. */
export async function startProcess(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const server = new ServerProcess({ DATABASE_URL: "memory:", ...env });
  onTestFinished(async () => {
    await server.ended("SIGKILL");
  });
  // Longer than other lines: several processes may be starting at once.
  await server.logged("listening", (line) => line.event === "listening", 60_000);
  return server;
}

function parse(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { msg: line, level: 0 };
  }
}
