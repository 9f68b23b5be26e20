/**
 * Takes WebSocket upgrades from the HTTP server through the gate to Hocuspocus, one `ClientSocket` each.
 *
 * Hocuspocus' own `Server` is not used: it accepts any path and origin, and one RST during its asynchronous upgrade hook ends the
 * process (4.7).
 */
import { STATUS_CODES, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type Server } from "ws";
import { inBatches } from "../lib/batches.ts";
import { ClientLines } from "../lib/client-lines.ts";
import type { CloseReason } from "../lib/close-reasons.ts";
import { addressGroup } from "../limits/address-group.ts";
import { ConnectionCounts } from "../limits/connection-counts.ts";
import { FragmentLimit, pieceLimits } from "../limits/message-pieces.ts";
import { SenderRules, type SenderLimits } from "../limits/sender.ts";
import { WaitingBytes } from "../limits/waiting-bytes.ts";
import type { Journal } from "../storage/journal.ts";
import { Acks } from "./acks.ts";
import { ClientSession, type ClientSessionOptions } from "./client-session.ts";
import type { ClientSocket } from "./client-socket.ts";
import { Comeback } from "./comeback.ts";
import { clientAddress } from "./connection-request.ts";
import { Resting } from "./resting.ts";
import { SessionWebSocket } from "./session-web-socket.ts";
import { TurnWriter } from "./turn-writer.ts";
import {
  rejectUpgrade,
  type GateRules,
  type GateState,
  type Rejection,
  type UpgradeAttempt,
} from "./upgrade-gate.ts";

type Shared =
  | "acks"
  | "lines"
  | "writer"
  | "comeback"
  | "counts"
  | "senders"
  | "fragments"
  | "waitingBytes"
  | "resting"
  | "onClosed";

export interface SocketServerOptions extends GateRules, SenderLimits, Omit<ClientSessionOptions, Shared> {
  readonly httpServer: HttpServer;
  readonly maxMessageBytes: number;
  readonly whenSaved: Journal["whenSaved"];
  readonly state: () => Pick<GateState, "stopping" | "storageTrouble">;
}

export interface Usage {
  /** Sockets that have been in no room. */
  readonly unauthenticated: number;
  /** Addresses that have a socket. */
  readonly addresses: number;
  /** Sockets that were refused for good and are kept while nobody needs their places. */
  readonly resting: number;
  /** Sent by clients that are in no room yet. */
  readonly waitingBytes: number;
  /** Not read yet by the clients it is for. */
  readonly bufferedBytes: number;
  /** The same of the client that is furthest behind. */
  readonly mostBufferedBytes: number;
}

/** A client that does not answer our close frame is cut off after this; shutdown waits for it. */
const CLOSE_PATIENCE_MS = 2000;

export class SocketServer {
  readonly #options: SocketServerOptions;
  readonly #sockets = new Set<ClientSocket>();
  readonly #sessions: ClientSessionOptions;
  #warnedOfProxy = false;
  readonly #webSocketServer: Server<typeof SessionWebSocket>;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    this.#sessions = {
      ...options,
      acks: new Acks(options.whenSaved),
      lines: new ClientLines(options.log),
      writer: new TurnWriter(),
      comeback: new Comeback(),
      counts: new ConnectionCounts(),
      senders: new SenderRules(options),
      fragments: new FragmentLimit(options.maxMessageBytes),
      waitingBytes: new WaitingBytes(),
      resting: new Resting(),
      onClosed: (socket) => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty();
      },
    };
    this.#webSocketServer = new WebSocketServer({
      noServer: true,
      WebSocket: SessionWebSocket,
      clientTracking: false,
      // Compression costs 300 kB a connection and most updates are smaller than its header.
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
      ...pieceLimits(options.maxMessageBytes),
    });
    options.httpServer.on("upgrade", this.#upgrade);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** What the clients are using up, for metrics and tests. Asks every socket. */
  get usage(): Usage {
    const { counts, waitingBytes, resting } = this.#sessions;
    const { unauthenticated, addresses } = counts;
    let bufferedBytes = 0;
    let mostBufferedBytes = 0;
    for (const socket of this.#sockets) {
      bufferedBytes += socket.bufferedBytes;
      mostBufferedBytes = Math.max(mostBufferedBytes, socket.bufferedBytes);
    }
    return {
      unauthenticated,
      addresses,
      bufferedBytes,
      mostBufferedBytes,
      waitingBytes: waitingBytes.bytes,
      resting: resting.count,
    };
  }

  /** Sends everybody away, for now. They come back one after the other, and the gate has its say again. */
  dismissAll(closeReason: CloseReason): void {
    // In the next turn: it may be called in the middle of an edit.
    setImmediate(() => {
      for (const socket of this.#sockets) socket.closeFor(closeReason);
    });
  }

  /** Closes every socket, one batch after the other over `spreadMs`, and resolves when all are gone. To be called once, when the gate is shut. */
  async closeAll(closeReason: CloseReason, { spreadMs }: { readonly spreadMs: number }): Promise<void> {
    for await (const batch of inBatches(this.#sockets, spreadMs))
      for (const socket of batch) socket.closeFor(closeReason);
    const patience = setTimeout(() => {
      for (const socket of this.#sockets) socket.terminate();
    }, CLOSE_PATIENCE_MS);
    while (this.#sockets.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    clearTimeout(patience);
    this.#options.heartbeat.stop();
  }

  #onEmpty: () => void = () => {};

  readonly #upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    // First thing: Node has just removed its own listener, and a reset before `ws` adds one would end the process.
    stream.on("error", destroy);
    const attempt = { url: request.url ?? "/", origin: request.headers.origin };
    this.#warnOfProxy(request);
    const address = addressGroup(clientAddress(request, this.#options.trustProxy));
    const rejection = this.#reject(attempt, address);
    if (rejection) {
      this.#options.metrics.refused(`http-${rejection.status}`);
      this.#sessions.lines.warn(
        { event: "upgrade-refused", status: rejection.status, origin: attempt.origin },
        `🚫 Refused a WebSocket: ${rejection.message}`,
      );
      // Ended on both sides: a client that does not close its own would keep a file descriptor that nobody counts.
      stream.end(httpResponse(rejection), () => stream.destroy());
      return;
    }
    this.#webSocketServer.handleUpgrade(request, stream, head, (webSocket) => {
      // That of `ws` does it from here on.
      stream.off("error", destroy);
      const session = new ClientSession(this.#sessions, { webSocket, stream, request });
      this.#sockets.add(session.socket);
    });
  };

  /** Those who rest give way to somebody who may want to come in. */
  #reject(attempt: UpgradeAttempt, address: string): Rejection | null {
    const { counts, resting } = this.#sessions;
    const judge = (): Rejection | null =>
      rejectUpgrade(
        attempt,
        {
          ...this.#options.state(),
          connections: counts.total,
          connectionsOfAddress: counts.of(address),
          unauthenticated: counts.unauthenticated,
        },
        this.#options,
      );
    const rejection = judge();
    if (rejection?.lacks === undefined) return rejection;
    return resting.giveWay(rejection.lacks === "place" ? undefined : address) ? judge() : rejection;
  }

  #warnOfProxy(request: IncomingMessage): void {
    if (this.#warnedOfProxy || this.#options.trustProxy > 0 || !request.headers["x-forwarded-for"]) return;
    this.#warnedOfProxy = true;
    this.#options.log.warn(
      { event: "proxy-not-trusted" },
      "A client came with X-Forwarded-For and TRUST_PROXY is 0: if there is a proxy in front, all clients count as one address",
    );
  }
}

/** One for all: a function made at the upgrade would keep its request, a kilobyte, for as long as the socket is open. */
function destroy(this: Duplex): void {
  this.destroy();
}

function httpResponse({ status, message, retryAfter }: Rejection): string {
  const body = `${message}\n`;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
    "",
    body,
  ].join("\r\n");
}
