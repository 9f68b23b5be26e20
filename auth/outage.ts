/** Whether the backend answers the auth webhook, whoever asks: one answer to anybody shows that it is there. */
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Question } from "./auth-webhook.ts";

export class Outage {
  readonly #log: Log;
  #since: number | null = null;

  constructor({ log }: { readonly log: Log }) {
    this.#log = log;
  }

  /** When the first of the questions was asked that have all not been answered; of the process' clock, ms. Null while it answers. */
  get since(): number | null {
    return this.#since;
  }

  /** Watches the answers of `ask`. */
  watch(ask: Question): Question {
    return async (attempt) => {
      try {
        const identity = await ask(attempt);
        this.#answered();
        return identity;
      } catch (error) {
        if (error instanceof Refusal && !error.retry) this.#answered();
        else this.#failed(error);
        throw error;
      }
    };
  }

  #answered(): void {
    if (this.#since === null) return;
    this.#since = null;
    this.#log.info({ event: "health", auth: "ok" }, "🩺 The backend answers again");
  }

  #failed(error: unknown): void {
    if (this.#since !== null) return;
    this.#since = performance.now();
    this.#log.warn({ event: "health", auth: "failing", err: error }, "🩺 The backend does not answer");
  }
}
