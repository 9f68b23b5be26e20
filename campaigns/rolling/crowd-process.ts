/** The process of a part of the clients, from outside. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CrowdMessage, CrowdOptions, CrowdReport } from "./crowd.ts";

const ENTRY = fileURLToPath(new URL("./crowd.ts", import.meta.url));

export class CrowdProcess {
  readonly #child: ChildProcess;
  readonly #inside = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<CrowdReport>();

  constructor(options: CrowdOptions) {
    this.#child = fork(ENTRY, [JSON.stringify(options)], { execArgv: [] });
    this.#child.on("message", (message: CrowdMessage) => {
      if (message.event === "inside") this.#inside.resolve();
      else if (message.event === "done") this.#done.resolve(message.report);
      else this.#failed(message.reason);
    });
    this.#child.once("exit", (code) => this.#failed(`it ended with ${code}`));
    // Whichever of the two nobody waits for.
    for (const { promise } of [this.#inside, this.#done]) promise.catch(() => {});
  }

  /** Resolves when all its clients are in their rooms; then they write. */
  get inside(): Promise<void> {
    return this.#inside.promise;
  }

  /** Tells it to stop writing; resolves when everybody is inside and saved, or did not manage to in a minute. */
  async finish(): Promise<CrowdReport> {
    this.#child.send("finish");
    return this.#done.promise;
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }

  #failed(reason: string): void {
    const error = new Error(`A process of clients failed: ${reason}`);
    this.#inside.reject(error);
    this.#done.reject(error);
  }
}
