/**
 * One of the demo's servers as a child process. What it prints goes to a file. One that is killed is started again: see what the page says meanwhile.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Until it has to answer after a start, ms. */
const START_MS = 60_000;
const RESTART_MS = 1000;

/** All that they get of the shell's environment. A REDIS_URL, JWT_SECRET or NODE_ENV that is set there is of something else. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TZ"];

export interface DemoProcessOptions {
  readonly name: string;
  readonly cwd: string;
  /** For this Node. */
  readonly parameters: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Answers 200 once it is up. */
  readonly healthUrl: string;
  /** It has ended by itself, which it should not. */
  readonly onFailed: (log: string) => void;
}

export class DemoProcess {
  readonly #options: DemoProcessOptions;
  #child: ChildProcess | null = null;
  #isStopping = false;

  constructor(options: DemoProcessOptions) {
    this.#options = options;
    mkdirSync(dirname(options.logFile), { recursive: true });
    rmSync(options.logFile, { force: true });
    this.#start();
  }

  /** Resolves when it answers. @throws when it does not in a minute */
  async ready(): Promise<void> {
    const { name, healthUrl, logFile } = this.#options;
    const deadline = performance.now() + START_MS;
    while (performance.now() < deadline && !this.#isStopping) {
      const answer = await fetch(healthUrl).catch(() => null);
      if (answer?.ok) return;
      await delay(50);
    }
    throw new Error(`The ${name} does not answer; see ${logFile}`);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }

  #start(): void {
    const { cwd, parameters, env, logFile } = this.#options;
    const log = openSync(logFile, "a");
    const child = spawn(process.execPath, parameters, {
      cwd,
      env: { ...inherited(), ...env },
      stdio: ["ignore", log, log],
      // A group of its own: Ctrl-C in the terminal reaches this script alone, which then stops each of them once. A second signal would
      // end the collaboration server without its orderly stop.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    child.once("exit", (_code, signal) => void this.#onExit(signal));
  }

  async #onExit(signal: NodeJS.Signals | null): Promise<void> {
    if (this.#isStopping) return;
    if (signal === null) {
      this.#options.onFailed(readFileSync(this.#options.logFile, "utf8").slice(-2000));
      return;
    }
    await delay(RESTART_MS);
    if (!this.#isStopping) this.#start();
  }
}

function inherited(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
}
