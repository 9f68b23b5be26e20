/** Whether the backend answers the auth webhook, whoever asks: one answer to anybody shows that it is there. Counts the answers as well. */
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Question } from "./auth-webhook.ts";

/** What became of a question; `none` is no answer, or none that can be understood. */
export type AnswerKind = "admitted" | "refused" | "none";

export class Outage {
  readonly #log: Log;
  readonly #answers: Record<AnswerKind, number> = { admitted: 0, refused: 0, none: 0 };
  #underWay = 0;
  #since: number | null = null;

  constructor({ log }: { readonly log: Log }) {
    this.#log = log;
  }

  /** When the first of the questions was asked that have all not been answered; of the process' clock, ms. Null while it answers. */
  get since(): number | null {
    return this.#since;
  }

  /** Since the start. */
  get answers(): Readonly<Record<AnswerKind, number>> {
    return this.#answers;
  }

  /** Questions that wait for their answer. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Watches the answers of `ask`. */
  watch(ask: Question): Question {
    return async (attempt) => {
      this.#underWay++;
      try {
        const identity = await ask(attempt);
        this.#answered("admitted");
        return identity;
      } catch (error) {
        if (error instanceof Refusal && !error.retry) this.#answered("refused");
        else this.#failed(error);
        throw error;
      } finally {
        this.#underWay--;
      }
    };
  }

  #answered(kind: AnswerKind): void {
    this.#answers[kind]++;
    if (this.#since === null) return;
    this.#since = null;
    this.#log.info({ event: "health", auth: "ok" }, "🩺 The backend answers again");
  }

  #failed(error: unknown): void {
    this.#answers.none++;
    if (this.#since !== null) return;
    this.#since = performance.now();
    this.#log.warn({ event: "health", auth: "failing", err: error }, "🩺 The backend does not answer");
  }
}
