/** What waits of one client, out of what may wait of all. */
import type { WaitingBytes } from "./waiting-bytes.ts";

/**
 * Does not count: a login, a first sync and a presence state are some hundred bytes. Without it whoever fills the budget keeps everybody
 * from logging in. Of 7,500 strangers it is 30 MB.
 */
const FREE_BYTES = 4096;

export class WaitingShare {
  readonly #all: WaitingBytes;
  #bytes = 0;

  constructor(all: WaitingBytes) {
    this.#all = all;
  }

  /** Returns whether so many more may wait; they count from now on if so. */
  take(bytes: number): boolean {
    if (!this.#all.take(counted(this.#bytes + bytes) - counted(this.#bytes))) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#all.give(counted(this.#bytes) - counted(this.#bytes - bytes));
    this.#bytes -= bytes;
  }
}

function counted(bytes: number): number {
  return Math.max(0, bytes - FREE_BYTES);
}
