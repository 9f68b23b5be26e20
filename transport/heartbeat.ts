/**
 * Finds dead peers, and keeps quiet ones: a client in a room where nobody moves hears from us, and a client without awareness
 * counts as alive because it answers.
 *
 * Stock Hocuspocus 4.7 closes a client that sent nothing for a minute (one without awareness never does), and the stock provider
 * closes by itself after 30 s without a message from the server.
 */
/** What beats: asks its peer for a sign of life, or ends. */
export interface Beating {
  beat(): void;
}

/** Below the provider's 30 s with room for a slow network; a dead peer is gone after two beats. */
const BEAT_SECONDS = 12;

export class Heartbeat {
  /** One bucket a second, so that ten thousand sockets do not beat in one turn. */
  readonly #buckets = Array.from({ length: BEAT_SECONDS }, () => new Set<Beating>());
  readonly #timer: NodeJS.Timeout;
  #second = 0;

  constructor({ secondMs = 1000 }: { /** Shorter in tests. */ readonly secondMs?: number } = {}) {
    // Nothing to keep the process for: a socket that beats does that itself.
    this.#timer = setInterval(() => this.#beat(), secondMs).unref();
  }

  /** Watches a socket, until `unwatch`. */
  watch(socket: Beating): void {
    this.#buckets[this.#second % BEAT_SECONDS]?.add(socket);
  }

  unwatch(socket: Beating): void {
    for (const bucket of this.#buckets) if (bucket.delete(socket)) return;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    this.#second++;
    for (const socket of this.#buckets[this.#second % BEAT_SECONDS] ?? []) {
      socket.beat();
    }
  }
}
