/** How many sockets there are: of each address, and of those that are in no room. */

/** Where a socket counts. */
export interface Place {
  /** As `addressGroup` gives it. */
  readonly address: string;
  isAuthenticated: boolean;
  isGone: boolean;
}

export class ConnectionCounts {
  readonly #byAddress = new Map<string, number>();
  #total = 0;
  #unauthenticated = 0;

  /** Sockets that have a place. */
  get total(): number {
    return this.#total;
  }

  /** Sockets that are in no room. */
  get unauthenticated(): number {
    return this.#unauthenticated;
  }

  /** Addresses with a socket. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  of(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }

  /** A socket has been opened. What follows of it may be said more than once. */
  enter(address: string): Place {
    this.#byAddress.set(address, this.of(address) + 1);
    this.#total++;
    this.#unauthenticated++;
    return { address, isAuthenticated: false, isGone: false };
  }

  /** It is in a room. */
  authenticated(place: Place): void {
    if (!place.isAuthenticated) this.#unauthenticated--;
    place.isAuthenticated = true;
  }

  /** It is in no room any more. */
  stranger(place: Place): void {
    if (!place.isAuthenticated || place.isGone) return;
    this.#unauthenticated++;
    place.isAuthenticated = false;
  }

  /** It is closed. */
  leave(place: Place): void {
    if (place.isGone) return;
    place.isGone = true;
    this.authenticated(place);
    this.#total--;
    const { address } = place;
    const left = this.of(address) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}

/** Below this many the share of strangers is not worth a limit of its own. */
const FEWEST_UNAUTHENTICATED = 100;

/**
 * Sockets at once that have not logged in. Half of all: strangers can never keep out those who are in, nor come near the number of file
 * descriptors; and of ten thousand honest clients that return after a restart three in four find a place at once, the others within
 * seconds, because their providers back off from a 503. Who does not log in is closed within a minute.
 */
export function maxUnauthenticated(maxConnections: number): number {
  return Math.min(maxConnections, Math.max(FEWEST_UNAUTHENTICATED, Math.ceil(maxConnections / 2)));
}
