/**
 * Sockets that were refused for good and are in no room. They are kept: a stock provider comes back after every close, whatever it was told, and
 * asks again. Thousands of tabs with an ended token, each closed after half a minute, are a hundred questions a second to the backend that lead
 * nowhere, for as long as the pages are open.
 *
 * And they are the first to go: whoever needs a place has theirs.
 */

export interface Rester {
  /** Gives its place free at once, and goes. */
  giveWay(): void;
}

export class Resting {
  /** With the address of each. Who rests longest comes first: Maps keep the order in which was added. */
  readonly #resters = new Map<Rester, string>();

  get count(): number {
    return this.#resters.size;
  }

  add(rester: Rester, address: string): void {
    this.#resters.set(rester, address);
  }

  delete(rester: Rester): void {
    this.#resters.delete(rester);
  }

  /**
   * Sends one away, and returns whether there was one.
   * @param address of which one must be, where a place of that address is wanted.
   */
  giveWay(address?: string): boolean {
    for (const [rester, own] of this.#resters) {
      if (address !== undefined && own !== address) continue;
      this.#resters.delete(rester);
      rester.giveWay();
      return true;
    }
    return false;
  }
}
