/** A crowd in batches: who is dealt with in one turn also comes back in one. */
import { setTimeout as delay } from "node:timers/promises";

const BATCH_EVERY_MS = 20;

/**
 * All items in random order, the first batch at once and the last after about `spreadMs`. By the clock, not by counting: where the event
 * loop is late the batches grow, and the end does not move.
 */
export async function* inBatches<T>(items: Iterable<T>, spreadMs: number): AsyncGenerator<readonly T[]> {
  const shuffled = [...items]
    .map((item) => ({ item, draw: Math.random() }))
    .toSorted((a, b) => a.draw - b.draw)
    .map(({ item }) => item);
  const startedAt = performance.now();
  for (let done = 0; ;) {
    const share = Math.min((performance.now() - startedAt + BATCH_EVERY_MS) / spreadMs, 1);
    const due = Math.ceil(shuffled.length * share);
    yield shuffled.slice(done, due);
    done = due;
    if (share === 1) return;
    await delay(BATCH_EVERY_MS);
  }
}
