/**
 * Collects the sockets that were sent something in this turn of the event loop and writes each once at its end: an ack and a
 * broadcast then leave in one system call, and so do the broadcasts of all messages that one poll brought in.
 */
export interface Flushable {
  flush(): void;
}

export class TurnWriter {
  #waiting: Flushable[] = [];

  add(socket: Flushable): void {
    if (this.#waiting.length === 0) setImmediate(this.#flushAll);
    this.#waiting.push(socket);
  }

  readonly #flushAll = (): void => {
    const sockets = this.#waiting;
    this.#waiting = [];
    for (const socket of sockets) socket.flush();
  };
}
