/**
 * What clients had used up when their sockets closed, or were not read any more, by address and user, until it would have come back by
 * itself. Not by address alone, or one bad client would slow down its whole office; nor by user alone, or whoever learns a user's name could.
 */
import { makeRoom } from "./make-room.ts";
import type { TokenBucket } from "./token-bucket.ts";

/** About 3 MB. Honest clients leave nothing here: they have more than half left. */
const MAX_DEBTS = 10_000;

export class Debts {
  readonly #max: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(max: number = MAX_DEBTS) {
    this.#max = max;
  }

  get size(): number {
    return this.#buckets.size;
  }

  keep(key: string, bucket: TokenBucket, now: number): void {
    if (!bucket.isLow(now)) return;
    const known = this.#buckets.get(key);
    if (known) bucket.lowerTo(known);
    else makeRoom(this.#buckets, { max: this.#max, counts: (other) => other.isLow(now) });
    this.#buckets.set(key, bucket);
  }

  /** Takes what is owed under the key off the bucket. */
  settle(key: string, bucket: TokenBucket): void {
    const owed = this.#buckets.get(key);
    if (owed) bucket.lowerTo(owed);
  }
}
