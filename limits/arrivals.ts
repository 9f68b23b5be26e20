/**
 * The bytes of a stranger's message that has not arrived in full. `ws` keeps them until it has, up to MAX_MESSAGE_BYTES for each socket, and
 * nobody has logged in on it. Once somebody has, this is let go of: it would cost a call for each packet.
 */
import type { Duplex } from "node:stream";
import type { WaitingShare } from "./waiting-share.ts";

export class Arrivals {
  readonly #stream: Duplex;
  readonly #waiting: WaitingShare;
  readonly #onTooMuch: () => void;
  #bytes = 0;

  constructor(
    stream: Duplex,
    { waiting, onTooMuch }: { readonly waiting: WaitingShare; readonly onTooMuch: () => void },
  ) {
    this.#stream = stream;
    this.#waiting = waiting;
    this.#onTooMuch = onTooMuch;
    // Before the listener of `ws`, which may have the whole message then: what stays counted too long is less than a packet.
    stream.prependListener("data", this.#count);
  }

  /** A message is there in full. */
  completed(): void {
    this.#waiting.give(this.#bytes);
    this.#bytes = 0;
  }

  /** Counts no longer. */
  release(): void {
    this.#stream.off("data", this.#count);
    this.completed();
  }

  readonly #count = (chunk: Buffer): void => {
    if (this.#waiting.take(chunk.byteLength)) this.#bytes += chunk.byteLength;
    else this.#onTooMuch();
  };
}
