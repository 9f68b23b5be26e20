/**
 * In how many pieces a message may arrive. `ws` keeps an object for each fragment and for each packet until the message is there in full:
 * of one byte each, they cost a hundred times what came over the wire.
 */
// oxlint-disable no-underscore-dangle -- private fields of `ws`
import type { WebSocket } from "ws";

/**
 * Chrome sends what is larger than 64 kB in fragments as they come out of a pipe of 128 kB, libraries and proxies in some of 8 kB; packets have
 * 1,220 bytes at least, and what has arrived meanwhile is read together. Measured on Node 26: a fragment costs 105 bytes, a packet 580.
 */
const FRAGMENT_BYTES = 8192;
const PACKET_BYTES = 1024;
const FEWEST = 256;

/** A login is one, in any browser. Seven and a half thousand strangers with these cost 13 MB. */
const FRAGMENTS_OF_STRANGERS = 16;

/**
 * For a `WebSocketServer`: for a message of the largest size, so one socket can take 8 MiB of message and 5 MB for its pieces. More closes the
 * socket with 1008.
 */
export function pieceLimits(maxMessageBytes: number): { maxFragments: number; maxBufferedChunks: number } {
  return {
    maxFragments: Math.max(FEWEST, Math.ceil(maxMessageBytes / FRAGMENT_BYTES)),
    maxBufferedChunks: Math.max(FEWEST, Math.ceil(maxMessageBytes / PACKET_BYTES)),
  };
}

/**
 * The fewer fragments of strangers. `ws` (8.23) has one limit for all sockets of a server and keeps it in a private field; should that go, all
 * have the limit of members, and a test fails.
 */
export class FragmentLimit {
  readonly #ofMembers: number;

  constructor(maxMessageBytes: number) {
    this.#ofMembers = pieceLimits(maxMessageBytes).maxFragments;
  }

  forStranger(webSocket: WebSocket): void {
    receiverOf(webSocket)._maxFragments = FRAGMENTS_OF_STRANGERS;
  }

  forMember(webSocket: WebSocket): void {
    receiverOf(webSocket)._maxFragments = this.#ofMembers;
  }
}

function receiverOf(webSocket: WebSocket): { _maxFragments: number } {
  return (webSocket as unknown as { readonly _receiver: { _maxFragments: number } })._receiver;
}
