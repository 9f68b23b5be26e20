/**
 * One client from its upgrade to its close: its messages through the limits and the look at their address to Hocuspocus or to the room's
 * message handlers, and everything given back that it had taken of what all clients share.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { MessageType, OutgoingMessage, type Hocuspocus } from "@hocuspocus/server";
import type { RawData, WebSocket } from "ws";
import { closeReasons } from "../lib/close-reasons.ts";
import type { ClientLines } from "../lib/client-lines.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { addressGroup } from "../limits/address-group.ts";
import { Arrivals } from "../limits/arrivals.ts";
import { maxUnauthenticated, type ConnectionCounts, type Place } from "../limits/connection-counts.ts";
import type { Debts } from "../limits/debts.ts";
import { Sender, type SenderLimits } from "../limits/sender.ts";
import { FragmentLimit } from "../limits/message-pieces.ts";
import type { WaitingBytes } from "../limits/waiting-bytes.ts";
import { WaitingShare } from "../limits/waiting-share.ts";
import type { MemberMessages } from "../members/member-messages.ts";
import { ClientSocket, type ClientSocketOptions } from "./client-socket.ts";
import type { Comeback } from "./comeback.ts";
import { ConnectionRequest } from "./connection-request.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { answersPing } from "./provider-version.ts";
import type { Resting } from "./resting.ts";
import { RoomAddresses } from "./room-addresses.ts";
import type { TurnWriter } from "./turn-writer.ts";

/** What the clients of one server have in common. */
export interface ClientSessionOptions extends SenderLimits {
  readonly rooms: Hocuspocus<Identity>;
  readonly members: MemberMessages;
  readonly log: Log;
  readonly lines: ClientLines;
  readonly metrics: Pick<Metrics, "message" | "refused">;
  readonly heartbeat: Heartbeat;
  readonly trustProxy: number;
  readonly maxBufferedBytes: number;
  readonly whenSaved: ClientSocketOptions["whenSaved"];
  readonly writer: TurnWriter;
  readonly comeback: Comeback;
  readonly counts: ConnectionCounts;
  readonly debts: Debts;
  readonly waitingBytes: WaitingBytes;
  readonly resting: Resting;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
}

/** A minute, as for those who never came in. A page that changes rooms is in the next one within a second. */
const BEATS_OUTSIDE = 5;

/** An hour: one question to the backend in that time, for a page that was refused and left open, is little enough. */
const BEATS_RESTING = 300;

export class ClientSession {
  readonly socket: ClientSocket;
  readonly #options: ClientSessionOptions;
  readonly #client: ReturnType<Hocuspocus<Identity>["handleConnection"]>;
  readonly #addresses: RoomAddresses;
  readonly #arrivals: Arrivals;
  readonly #sender: Sender;
  readonly #address: string;
  readonly #place: Place;
  readonly #unwatch: () => void;
  readonly #fragments: FragmentLimit;
  #isMember = false;
  /** Since it left its last room, or was put out of it. Null before it was in one, when Hocuspocus looks after the time. */
  #beatsOutside: number | null = null;
  #isResting = false;
  /** Of one of the rooms that it has asked for, and so for good: its provider comes to rest once it is in none. */
  #isRefused = false;
  #answersPing = false;
  #isClosed = false;

  /** @param onClosed once the socket is closed, before Hocuspocus is told. */
  constructor(
    options: ClientSessionOptions,
    {
      webSocket,
      stream,
      request,
      onClosed,
    }: {
      readonly webSocket: WebSocket;
      readonly stream: Duplex;
      readonly request: IncomingMessage;
      readonly onClosed: () => void;
    },
  ) {
    this.#options = options;
    const { rooms, comeback, counts, debts, waitingBytes, heartbeat, maxRoomsPerConnection } = options;
    const { writer, maxBufferedBytes, whenSaved } = options;
    const connectionRequest = new ConnectionRequest(request, options);
    const address = addressGroup(connectionRequest.ip);
    const waiting = new WaitingShare(waitingBytes, address);
    this.#address = address;
    this.#addresses = new RoomAddresses({ maxRooms: maxRoomsPerConnection, waiting });
    this.#place = counts.enter(address);
    this.#sender = new Sender({ limits: options, address, debts });
    this.socket = new ClientSocket({
      webSocket,
      stream,
      writer,
      sender: this.#sender,
      maxBufferedBytes,
      whenSaved,
      comebackDelayMs: (room) => comeback.delayMs(room),
      onEntered: (connection) => {
        this.#hasEntered();
        this.#sender.entered(connection.context.user.id);
        this.#addresses.entered(connection).forEach(this.#receive);
      },
      // In the next turn: Hocuspocus says goodbye before it has tidied up.
      onLeft: (left) => setImmediate(() => this.#hasLeft(left)),
      onRefused: (room, { code, reason, retry }) => {
        if (!retry) this.#isRefused = true;
        options.metrics.refused(reason);
        options.lines.warn({ event: "refused", room, code, reason, retry }, `🚫 Refused: ${reason}`);
      },
    });
    const onTooMuch = (): void => this.socket.cutOff(closeReasons.serverBusy);
    this.#arrivals = new Arrivals(stream, { waiting, onTooMuch });
    this.#client = rooms.handleConnection(this.socket, connectionRequest as unknown as Request);
    this.#fragments = new FragmentLimit(webSocket);
    this.#fragments.forStrangers();
    this.#unwatch = heartbeat.watch(this);
    this.#listen(webSocket, onClosed);
  }

  #listen(webSocket: WebSocket, onClosed: () => void): void {
    webSocket.on("message", (data: RawData, isBinary: boolean) => {
      this.#arrivals.completed();
      this.#heard();
      if (!this.#mayMessage()) return;
      const message = data as Buffer;
      // An answer to our Ping has no address, so Hocuspocus would take it for a broken message and close the socket.
      if (message.byteLength === 1 && message[0] === MessageType.Pong) return;
      if (!isBinary) this.socket.closeFor(closeReasons.binaryFramesOnly);
      else this.#receive(message);
    });
    webSocket.on("pong", () => {
      this.#heard();
      this.#mayMessage();
    });
    webSocket.on("ping", () => this.#mayMessage());
    webSocket.on("error", (error: Error) =>
      this.#options.log.debug({ event: "socket-error", err: error }, "WebSocket error"),
    );
    webSocket.on("close", (code: number, reason: Buffer) => {
      this.#unwatch();
      this.#isClosed = true;
      this.#options.resting.delete(this);
      this.#isMember = false;
      this.#place.leave();
      this.#arrivals.release();
      this.#addresses.release();
      this.#sender.gone();
      onClosed();
      this.#client.handleClose({ code, reason: reason.toString() });
      this.socket.release();
    });
  }

  /** As ClientSocket's, and closes who stays outside of all rooms. */
  beat(): void {
    const patience = this.#isResting ? BEATS_RESTING : BEATS_OUTSIDE;
    if (this.#beatsOutside !== null && ++this.#beatsOutside > patience)
      this.socket.closeFor(closeReasons.connectionTimeout);
    this.socket.beat();
  }

  #hasEntered(): void {
    this.#isMember = true;
    this.#beatsOutside = null;
    this.#isResting = false;
    this.#options.resting.delete(this);
    this.socket.understandsPing = this.#answersPing;
    this.#place.authenticated();
    this.#arrivals.release();
    this.#fragments.forMembers();
  }

  /** Of all its rooms, it is a stranger again: that it once had a right is no reason to keep it. */
  #hasLeft(address: string): void {
    const waiting = this.#addresses.left(address);
    if (this.#isMember && this.#addresses.isOutside) {
      this.#isMember = false;
      this.#beatsOutside = 0;
      this.#place.stranger();
      this.#arrivals.watch();
      this.#fragments.forStrangers();
    }
    waiting.forEach(this.#receive);
    if (this.#isRefused && this.#addresses.isEmpty) this.#rest();
  }

  /**
   * Kept for an hour, if it is quiet meanwhile: a provider that cannot be pinged closes by itself after half a minute. Not where places are
   * running short: who has given way comes back, is refused again, and would push out the next one.
   */
  #rest(): void {
    const { counts, resting, maxConnections, maxConnectionsPerIp } = this.#options;
    const isSpacious =
      counts.unauthenticated <= maxUnauthenticated(maxConnections) / 2 &&
      counts.of(this.#address) <= maxConnectionsPerIp / 2;
    if (this.#isClosed || this.#isResting || !this.#answersPing || !isSpacious) return;
    this.#isResting = true;
    this.#beatsOutside = 0;
    this.socket.understandsPing = true;
    // Hocuspocus would close it half a minute after it was opened.
    this.#client.timeout = Infinity;
    resting.add(this, this.#address);
  }

  giveWay(): void {
    this.#place.leave();
    this.socket.cutOff(closeReasons.connectionTimeout);
  }

  #heard(): void {
    this.socket.heard();
    // Hocuspocus counts only messages as life; a client without awareness in a quiet room sends none.
    this.#client.lastMessageReceivedAt = Date.now();
  }

  readonly #receive = (message: Uint8Array): void => {
    if (this.socket.isAway) return;
    try {
      this.#handle(message);
    } catch (error) {
      // A fault of ours; thrown on, it would end the process for everybody.
      this.#options.log.error({ event: "message-failed", err: error }, "A message could not be handled");
      this.socket.closeFor(closeReasons.internalError);
    }
  };

  #handle(message: Uint8Array): void {
    const { members, metrics } = this.#options;
    const verdict = this.#addresses.judge(message);
    switch (verdict.kind) {
      // A login: nothing else comes to Hocuspocus before.
      case "pass":
        metrics.message(MessageType.Auth);
        this.#answersPing ||= answersPing(message);
        if (this.#mayLogIn()) this.#client.handleMessage(message);
        break;
      case "member":
        metrics.message(verdict.type);
        members.receive(verdict.member, message, verdict);
        break;
      case "refuse": {
        metrics.message(MessageType.Auth);
        this.#answersPing ||= answersPing(message);
        if (!this.#mayLogIn()) break;
        const { reason } = verdict.closeReason;
        this.socket.send(new OutgoingMessage(verdict.address).writePermissionDenied(reason).toUint8Array());
        break;
      }
      case "busy":
        this.socket.cutOff(closeReasons.serverBusy);
        break;
      case "broken":
        metrics.refused(closeReasons.resetConnection.reason);
        this.socket.closeFor(closeReasons.resetConnection);
        break;
      case "keep":
        break;
      default:
        verdict satisfies never;
    }
  }

  #mayLogIn(): boolean {
    const may = this.#sender.mayLogIn(performance.now());
    if (!may) this.socket.holdOff(closeReasons.rateLimited);
    return may;
  }

  /** A message, a ping, which `ws` answers, or a pong: of ours there are two in a minute, and nobody else asks. */
  #mayMessage(): boolean {
    if (this.socket.isAway) return false;
    const may = this.#sender.mayMessage(performance.now());
    if (!may) this.socket.holdOff(closeReasons.rateLimited);
    return may;
  }
}
