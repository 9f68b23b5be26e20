/**
 * What clients have sent that cannot be handled before they are in a room, of all sockets together: messages that wait for a login, and
 * messages of strangers that have not arrived in full. Each socket has limits of its own (5 MiB, MAX_MESSAGE_BYTES), and thousands of them
 * at their limits would be tens of gigabytes.
 */

/**
 * What waits for honest logins is some hundred bytes each; ten thousand of them are 5 MB. The machine that this is made for has 512 MB.
 */
export const MAX_WAITING_BYTES_IN_ALL = 64 * 1024 * 1024;

/** Of this, one address can take so much: nobody alone keeps all others to their free part. */
export const MAX_WAITING_BYTES_OF_ADDRESS = MAX_WAITING_BYTES_IN_ALL / 4;

export class WaitingBytes {
  readonly #max: number;
  readonly #maxOfAddress: number;
  readonly #byAddress = new Map<string, number>();
  #bytes = 0;

  constructor(max: number = MAX_WAITING_BYTES_IN_ALL, maxOfAddress: number = MAX_WAITING_BYTES_OF_ADDRESS) {
    this.#max = max;
    this.#maxOfAddress = maxOfAddress;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Returns whether so many more may wait; they count from now on if so.
   * @param address as `addressGroup` gives it.
   */
  take(address: string, bytes: number): boolean {
    if (bytes === 0) return true;
    const ofAddress = this.#of(address) + bytes;
    if (this.#bytes + bytes > this.#max || ofAddress > this.#maxOfAddress) return false;
    this.#bytes += bytes;
    this.#byAddress.set(address, ofAddress);
    return true;
  }

  give(address: string, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes -= bytes;
    const ofAddress = this.#of(address) - bytes;
    if (ofAddress > 0) this.#byAddress.set(address, ofAddress);
    else this.#byAddress.delete(address);
  }

  #of(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }
}
