/** All who write in a round: the same writers in each room. */
import type { Edit, Ledger } from "./ledger.ts";
import { ProviderWriter } from "./provider-writer.ts";
import { RawWriter } from "./raw-writer.ts";
import type { RoundPlan, WriterPlan } from "./round-plan.ts";
import type { Writer, WriterOptions } from "./writer.ts";

export interface CrowdOptions {
  /** Unique in the run. */
  readonly name: string;
  readonly url: string;
  readonly plan: RoundPlan;
  readonly ledger: Ledger;
}

export class Crowd {
  readonly #writers: readonly Writer[];
  #acknowledged = 0;
  #onAck: () => void = () => {};

  constructor({ name, url, plan, ledger }: CrowdOptions) {
    const onAcknowledged = (edits: readonly Edit[]): void => {
      for (const edit of edits) ledger.acknowledge(edit);
      this.#acknowledged += edits.length;
      this.#onAck();
    };
    this.#writers = ledger.rooms.flatMap((room) =>
      plan.writers.map((writer, index) => {
        const next = (): Edit => ledger.write({ room, author: `${name}.${index}`, fault: plan.fault });
        return createWriter(writer, { url, room, next, onAcknowledged });
      }),
    );
  }

  /** How many have no connection. */
  get outside(): number {
    return this.#writers.filter((writer) => !writer.isInside).length;
  }

  get outstanding(): Edit[] {
    return this.#writers.flatMap((writer) => writer.outstanding);
  }

  async joined(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.joined));
  }

  start(): void {
    for (const writer of this.#writers) writer.start();
  }

  /** Resolves with what `act` does in the very callback that tells a client of the `count`th saved edit. */
  atAck(count: number, act: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#onAck = () => {
        if (this.#acknowledged < count) return;
        this.#onAck = () => {};
        act();
        resolve();
      };
    });
  }

  leave(): void {
    for (const writer of this.#writers) writer.leave();
  }

  async gone(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.gone));
  }
}

function createWriter(plan: WriterPlan, options: WriterOptions): Writer {
  return plan.kind === "provider" ? new ProviderWriter(options, plan) : new RawWriter(options, plan);
}
