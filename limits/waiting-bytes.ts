/**
 * What clients have sent that cannot be handled before they are in a room, of all sockets together: messages that wait for a login, and
 * messages of strangers that have not arrived in full. Each socket has limits of its own (5 MiB, MAX_MESSAGE_BYTES), and thousands of them
 * at their limits would be tens of gigabytes.
 */

/**
 * What waits for honest logins is some hundred bytes each; ten thousand of them are 5 MB. The machine that this is made for has 512 MB.
 */
export const MAX_WAITING_BYTES_IN_ALL = 64 * 1024 * 1024;

export class WaitingBytes {
  readonly #max: number;
  #bytes = 0;

  constructor(max: number = MAX_WAITING_BYTES_IN_ALL) {
    this.#max = max;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Returns whether so many more may wait; they count from now on if so. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#max) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}
