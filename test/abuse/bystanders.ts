/** People who do nothing wrong while somebody else does: two in the attacked room, two in another. They must notice nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { median } from "../../bench/statistics.ts";
import { connect, type Client, type ClientOptions } from "../support/client.ts";
import { until } from "../support/until.ts";

/** Fast typing. Nothing waits for it; faster, they would be the flood. */
const TYPING_MS = 25;

/** Of one edit. Generous: a test machine has other things to do. Nobody who is kept waiting by an attack gets through in that time. */
const MAX_ROUND_TRIP_MS = 3000;

/** Of half of the edits, as long as an attack lasts. It is about 15 ms, most of it the wait for the commit, also on a machine that is busy. */
const MEDIAN_ROUND_TRIP_MS = 100;

/** From so many on a median says something: an attack that is one burst is over after two or three edits, made while it is dealt with. */
const ENOUGH_ROUND_TRIPS = 20;

interface Pair {
  readonly writer: Client;
  readonly reader: Client;
}

export class Bystanders {
  readonly #pairs: readonly Pair[];
  readonly #roundTripsMs: number[] = [];
  #edits = 0;

  private constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs;
  }

  static async join(url: string, options: Partial<ClientOptions> = {}): Promise<Bystanders> {
    const pairs = ["room", "elsewhere"].map((name) => ({
      writer: connect({ ...options, url, name }),
      reader: connect({ ...options, url, name }),
    }));
    await Promise.all(pairs.flatMap(({ writer, reader }) => [writer.saved(), reader.saved()]));
    return new Bystanders(pairs);
  }

  /** Edits all the while, and once more afterwards; each edit is saved and seen in time. Nobody is disconnected or refused. */
  async during<T>(
    attack: Promise<T>,
    { maxMs = MAX_ROUND_TRIP_MS, medianMs = MEDIAN_ROUND_TRIP_MS } = {},
  ): Promise<T> {
    const progress = { isOver: false };
    const outcome = attack.finally(() => (progress.isOver = true));
    // Looked at below; an edit that fails meanwhile is reported first.
    outcome.catch(() => {});
    while (!progress.isOver) {
      await this.#edit(maxMs);
      await Promise.race([delay(TYPING_MS), outcome.catch(() => {})]);
    }
    await this.#edit(maxMs);
    if (this.#roundTripsMs.length >= ENOUGH_ROUND_TRIPS)
      expect(median(this.#roundTripsMs), "median round trip, ms").toBeLessThan(medianMs);
    for (const { writer, reader } of this.#pairs)
      expect([writer, reader].flatMap(({ closes, denials }) => [...closes, ...denials])).toEqual([]);
    return outcome;
  }

  async #edit(maxMs: number): Promise<void> {
    const edit = this.#edits++;
    await Promise.all(
      this.#pairs.map(async ({ writer, reader }) => {
        const startedAt = performance.now();
        writer.tasks.set("bystander", edit);
        await writer.saved();
        await until("the edit seen by the other", () => reader.tasks.get("bystander") === edit);
        const roundTripMs = performance.now() - startedAt;
        expect(roundTripMs, "round trip, ms").toBeLessThan(maxMs);
        this.#roundTripsMs.push(roundTripMs);
      }),
    );
  }
}
