/** The real server as a process of its own. It never outlives this one. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** Of its output, for the message when something went wrong. */
const KEPT_LINES = 30;

export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ServerChild {
  readonly startedAt = performance.now();
  /** Its `ws://` address. Rejected if it ends before it listens. */
  readonly listening: Promise<string>;
  readonly ended: Promise<ServerEnd>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];

  constructor(entry: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [entry], {
      cwd: ROOT,
      // Nothing of the machine's own environment.
      env: { PORT: "0", HOST: "127.0.0.1", LOG_FORMAT: "json", AUTH_MODE: "none", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const killNow = (): void => this.signal("SIGKILL");
    process.once("exit", killNow);
    this.ended = once(this.#child, "close").then(([code, signal]) => {
      process.off("exit", killNow);
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
    const listening = Promise.withResolvers<string>();
    this.listening = listening.promise;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (!stream) continue;
      createInterface(stream).on("line", (line) => {
        this.#lines.push(line);
        if (this.#lines.length > KEPT_LINES) this.#lines.shift();
        const port = /"event":"listening".*?"port":(\d+)/.exec(line)?.[1];
        if (port) listening.resolve(`ws://127.0.0.1:${port}`);
      });
    }
    void this.ended.then(() => listening.reject(new Error(`The server did not start\n${this.output}`)));
    // Who kills it while it starts does not ask.
    listening.promise.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#lines.join("\n");
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}
