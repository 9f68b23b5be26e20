/**
 * The bytes of a stranger's message that has not arrived in full. `ws` keeps them until it has, up to MAX_MESSAGE_BYTES for each socket, and
 * nobody has logged in on it. Once somebody has, this is let go of: it would cost a call for each packet.
 * From then on one socket can take MAX_MESSAGE_BYTES, and what `message-pieces.ts` says beside it.
 */
import type { Duplex } from "node:stream";
import type { WaitingShare } from "./waiting-share.ts";

/** What a packet costs beside its bytes, however small: two objects of `ws` and Node, and an allocation. Measured as 580 on Node 26. */
const PACKET_OVERHEAD_BYTES = 600;

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
    this.#stream.prependListener("data", this.#count);
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
    const bytes = chunk.byteLength + PACKET_OVERHEAD_BYTES;
    if (this.#waiting.take(bytes)) this.#bytes += bytes;
    else this.#onTooMuch();
  };
}
