import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

/** Of the handshake alone: nobody asks for them later, and with an entry each they are 400 bytes of every connection. */
const HANDSHAKE_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-version",
]);

/**
 * The upgrade request as Hocuspocus and our hooks see it, in the place of a `Request`.
 *
 * `url` is the path only, because Hocuspocus parses it twice a message and a full URL costs ten times a path; the rest of a `Request`
 * (body, signal) would cost 3 kB a connection for nothing.
 */
export class ConnectionRequest {
  readonly url: string;
  readonly headers: Headers;
  /** Address of the client, as far as TRUST_PROXY proxies are believed. */
  readonly ip: string;
  readonly #stream: Socket;
  /** Null until somebody asks for it: most connections have nobody waiting most of the time. */
  #waiting: Set<() => void> | null = null;

  constructor(request: IncomingMessage, { trustProxy }: { readonly trustProxy: number }) {
    this.url = request.url ?? "/";
    this.headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) {
      if (value === undefined || HANDSHAKE_HEADERS.has(name)) continue;
      this.headers.set(name, Array.isArray(value) ? value.join(", ") : value);
    }
    this.ip = clientAddress(request, trustProxy);
    this.#stream = request.socket;
  }

  /** Calls back once the client is gone, at once if it is. Returns how to prevent it. */
  onGone(callback: () => void): () => void {
    if (this.#stream.destroyed) {
      callback();
      return () => {};
    }
    // One listener for all: a socket waits for a hundred rooms at most.
    const waiting = (this.#waiting ??= this.#listen());
    waiting.add(callback);
    return () => void waiting.delete(callback);
  }

  #listen(): Set<() => void> {
    const waiting = new Set<() => void>();
    this.#stream.once("close", () => {
      for (const callback of waiting) callback();
      waiting.clear();
    });
    return waiting;
  }
}

/**
 * With n trusted proxies, the n-th `X-Forwarded-For` entry from the right: each proxy appends who it saw, and everything left of
 * that was written by the client.
 */
export function clientAddress(request: IncomingMessage, trustProxy: number): string {
  const seen = [request.headers["x-forwarded-for"] ?? []].flat().join(",").split(",");
  const forwarded = trustProxy > 0 ? seen.at(-trustProxy)?.trim() : undefined;
  return forwarded || (request.socket.remoteAddress ?? "");
}
