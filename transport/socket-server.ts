/**
 * Takes WebSocket upgrades from the HTTP server through the gate to Hocuspocus, one `ClientSocket` each.
 *
 * Hocuspocus' own `Server` is not used: it accepts any path and origin, and one RST during its asynchronous upgrade hook ends the
 * process (4.7).
 */
import { STATUS_CODES, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { Duplex } from "node:stream";
import { MessageType, OutgoingMessage, type Hocuspocus } from "@hocuspocus/server";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { addressGroup } from "../limits/address-group.ts";
import { Arrivals } from "../limits/arrivals.ts";
import { ConnectionCounts } from "../limits/connection-counts.ts";
import { Debts } from "../limits/debts.ts";
import { Sender } from "../limits/sender.ts";
import { WaitingBytes } from "../limits/waiting-bytes.ts";
import { WaitingShare } from "../limits/waiting-share.ts";
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { MemberMessages } from "../members/member-messages.ts";
import { ClientSocket, type ClientSocketOptions } from "./client-socket.ts";
import { Comeback } from "./comeback.ts";
import { clientAddress, ConnectionRequest } from "./connection-request.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { RoomAddresses } from "./room-addresses.ts";
import { TurnWriter } from "./turn-writer.ts";
import { rejectUpgrade, type GateRules, type GateState, type Rejection } from "./upgrade-gate.ts";

export interface SocketServerOptions extends GateRules {
  readonly httpServer: HttpServer;
  readonly rooms: Hocuspocus<Identity>;
  readonly members: MemberMessages;
  readonly log: Log;
  readonly trustProxy: number;
  readonly maxMessageBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxMessagesPerSecond: number;
  readonly maxRoomsPerConnection: number;
  readonly whenSaved: ClientSocketOptions["whenSaved"];
  readonly state: () => Pick<GateState, "stopping" | "storageTrouble">;
  readonly heartbeat: Heartbeat;
  readonly metrics: Pick<Metrics, "message" | "refused">;
}

export interface Usage {
  /** Sockets that have been in no room. */
  readonly unauthenticated: number;
  /** Addresses that have a socket. */
  readonly addresses: number;
  /** Sent by clients that are in no room yet. */
  readonly waitingBytes: number;
  /** Not read yet by the clients it is for. */
  readonly bufferedBytes: number;
}

/** A client that does not answer our close frame is cut off after this; shutdown waits for it. */
const CLOSE_PATIENCE_MS = 2000;

export class SocketServer {
  readonly #options: SocketServerOptions;
  readonly #sockets = new Set<ClientSocket>();
  readonly #writer = new TurnWriter();
  readonly #comeback = new Comeback();
  readonly #counts = new ConnectionCounts();
  readonly #debts = new Debts();
  readonly #waitingBytes = new WaitingBytes();
  #warnedOfProxy = false;
  readonly #webSocketServer: WebSocketServer;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    this.#webSocketServer = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Compression costs 300 kB a connection and most updates are smaller than its header.
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
    });
    options.httpServer.on("upgrade", this.#upgrade);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** What the clients are using up, for metrics and tests. Asks every socket. */
  get usage(): Usage {
    const { unauthenticated, addresses } = this.#counts;
    let bufferedBytes = 0;
    for (const socket of this.#sockets) bufferedBytes += socket.bufferedBytes;
    return { unauthenticated, addresses, bufferedBytes, waitingBytes: this.#waitingBytes.bytes };
  }

  /** Sends everybody away, for now. They come back one after the other, and the gate has its say again. */
  dismissAll(closeReason: CloseReason): void {
    // In the next turn: it may be called in the middle of an edit.
    setImmediate(() => {
      for (const socket of this.#sockets) socket.closeFor(closeReason);
    });
  }

  /** Closes every socket and resolves when all are gone. */
  async closeAll(closeReason: CloseReason): Promise<void> {
    for (const socket of this.#sockets) socket.closeFor(closeReason);
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
    stream.on("error", () => stream.destroy());
    const attempt = { url: request.url ?? "/", origin: request.headers.origin };
    this.#warnOfProxy(request);
    const address = addressGroup(clientAddress(request, this.#options.trustProxy));
    const state = {
      ...this.#options.state(),
      connections: this.#sockets.size,
      connectionsOfAddress: this.#counts.of(address),
      unauthenticated: this.#counts.unauthenticated,
    };
    const rejection = rejectUpgrade(attempt, state, this.#options);
    if (rejection) {
      this.#options.metrics.refused(`http-${rejection.status}`);
      this.#options.log.warn(
        { event: "upgrade-refused", status: rejection.status, origin: attempt.origin },
        `🚫 Refused a WebSocket: ${rejection.message}`,
      );
      // Ended on both sides: a client that does not close its own would keep a file descriptor that nobody counts.
      stream.end(httpResponse(rejection), () => stream.destroy());
      return;
    }
    this.#webSocketServer.handleUpgrade(request, stream, head, (webSocket) =>
      this.#connect(webSocket, request, stream),
    );
  };

  #warnOfProxy(request: IncomingMessage): void {
    if (this.#warnedOfProxy || this.#options.trustProxy > 0 || !request.headers["x-forwarded-for"]) return;
    this.#warnedOfProxy = true;
    this.#options.log.warn(
      { event: "proxy-not-trusted" },
      "A client came with X-Forwarded-For and TRUST_PROXY is 0: if there is a proxy in front, all clients count as one address",
    );
  }

  #connect(webSocket: WebSocket, request: IncomingMessage, stream: Duplex): void {
    const { rooms, log, metrics, maxBufferedBytes, whenSaved, trustProxy } = this.#options;
    const waiting = new WaitingShare(this.#waitingBytes);
    const addresses = new RoomAddresses({ maxRooms: this.#options.maxRoomsPerConnection, waiting });
    const connectionRequest = new ConnectionRequest(request, { trustProxy });
    const address = addressGroup(connectionRequest.ip);
    const place = this.#counts.enter(address);
    const sender = new Sender({ limits: this.#options, address, debts: this.#debts });
    const socket: ClientSocket = new ClientSocket({
      webSocket,
      stream,
      writer: this.#writer,
      maxBufferedBytes,
      sender,
      whenSaved,
      comebackDelayMs: (room) => this.#comeback.delayMs(room),
      onEntered: (connection) => {
        place.authenticated();
        arrivals.release();
        sender.entered(connection.context.user.id);
        for (const message of addresses.entered(connection)) receive(message);
      },
      // In the next turn: Hocuspocus says goodbye before it has tidied up.
      onLeft: (left) => setImmediate(() => addresses.left(left).forEach(receive)),
      onRefused: (room, { code, reason, retry }) => {
        metrics.refused(reason);
        log.warn({ event: "refused", room, code, reason, retry }, `🚫 Refused: ${reason}`);
      },
    });
    const onTooMuch = (): void => socket.cutOff(closeReasons.serverBusy);
    const arrivals = new Arrivals(stream, { waiting, onTooMuch });
    const client = rooms.handleConnection(socket, connectionRequest as unknown as Request);
    const unwatch = this.#options.heartbeat.watch(socket);
    this.#sockets.add(socket);

    const mayLogIn = (): boolean => {
      const may = sender.mayLogIn(performance.now());
      if (!may) socket.holdOff(closeReasons.rateLimited);
      return may;
    };
    /** A message, or a ping, which `ws` answers. */
    const mayMessage = (): boolean => {
      if (socket.isAway) return false;
      const may = sender.mayMessage(performance.now());
      if (!may) socket.holdOff(closeReasons.rateLimited);
      return may;
    };
    const handle = (message: Uint8Array): void => {
      const verdict = addresses.judge(message);
      switch (verdict.kind) {
        // A login: nothing else comes to Hocuspocus before.
        case "pass":
          metrics.message(MessageType.Auth);
          if (mayLogIn()) client.handleMessage(message);
          break;
        case "member":
          metrics.message(verdict.type);
          this.#options.members.receive(verdict.member, message, verdict);
          break;
        case "refuse": {
          metrics.message(MessageType.Auth);
          if (!mayLogIn()) break;
          const { reason } = verdict.closeReason;
          socket.send(new OutgoingMessage(verdict.address).writePermissionDenied(reason).toUint8Array());
          break;
        }
        case "busy":
          socket.cutOff(closeReasons.serverBusy);
          break;
        case "broken":
          metrics.refused(closeReasons.resetConnection.reason);
          socket.closeFor(closeReasons.resetConnection);
          break;
        case "keep":
          break;
        default:
          verdict satisfies never;
      }
    };
    const receive = (message: Uint8Array): void => {
      if (socket.isAway) return;
      try {
        handle(message);
      } catch (error) {
        // A fault of ours; thrown on, it would end the process for everybody.
        log.error({ event: "message-failed", err: error }, "A message could not be handled");
        socket.closeFor(closeReasons.internalError);
      }
    };
    const heard = (): void => {
      socket.heard();
      // Hocuspocus counts only messages as life; a client without awareness in a quiet room sends none.
      client.lastMessageReceivedAt = Date.now();
    };
    webSocket.on("message", (data: RawData, isBinary: boolean) => {
      arrivals.completed();
      heard();
      if (!mayMessage()) return;
      const message = data as Buffer;
      // An answer to our Ping has no address, so Hocuspocus would take it for a broken message and close the socket.
      if (message.byteLength === 1 && message[0] === MessageType.Pong) return;
      if (!isBinary) socket.closeFor(closeReasons.binaryFramesOnly);
      else receive(message);
    });
    webSocket.on("pong", heard);
    webSocket.on("ping", mayMessage);
    webSocket.on("error", (error: Error) =>
      log.debug({ event: "socket-error", err: error }, "WebSocket error"),
    );
    webSocket.on("close", (code: number, reason: Buffer) => {
      unwatch();
      place.leave();
      arrivals.release();
      addresses.release();
      sender.gone();
      this.#sockets.delete(socket);
      client.handleClose({ code, reason: reason.toString() });
      socket.release();
      if (this.#sockets.size === 0) this.#onEmpty();
    });
  }
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
