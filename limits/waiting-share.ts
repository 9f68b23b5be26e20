/** What waits of one client, out of what may wait of all. */
import type { WaitingBytes } from "./waiting-bytes.ts";

/**
 * Does not count. A login is a token (1.4 kB with thirty rooms in it), a first sync and a presence state are some hundred bytes: five rooms at
 * once are 11 kB with their packets. Without it whoever fills the budget keeps everybody from logging in. Of 7,500 strangers it is 120 MB,
 * beside the 64 MiB what a machine of 512 MB can spare; of an honest crowd a tenth of that, for a moment.
 */
const FREE_BYTES = 16_384;

export class WaitingShare {
  readonly #all: WaitingBytes;
  readonly #address: string;
  #bytes = 0;

  constructor(all: WaitingBytes, address: string) {
    this.#all = all;
    this.#address = address;
  }

  /** Returns whether so many more may wait; they count from now on if so. */
  take(bytes: number): boolean {
    if (!this.#all.take(this.#address, counted(this.#bytes + bytes) - counted(this.#bytes))) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#all.give(this.#address, counted(this.#bytes) - counted(this.#bytes - bytes));
    this.#bytes -= bytes;
  }
}

function counted(bytes: number): number {
  return Math.max(0, bytes - FREE_BYTES);
}
