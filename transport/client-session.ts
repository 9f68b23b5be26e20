/**
 * One client from its upgrade to its close: its messages through the limits and the look at their address to Hocuspocus or to the room's
 * message handlers, and everything given back that it had taken of what all clients share.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { MessageType, OutgoingMessage, type Hocuspocus } from "@hocuspocus/server";
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { ClientLines } from "../lib/client-lines.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { addressGroup } from "../limits/address-group.ts";
import { Arrivals } from "../limits/arrivals.ts";
import { maxUnauthenticated, type ConnectionCounts, type Place } from "../limits/connection-counts.ts";
import { Sender, type SenderRules } from "../limits/sender.ts";
import type { FragmentLimit } from "../limits/message-pieces.ts";
import type { WaitingBytes } from "../limits/waiting-bytes.ts";
import { WaitingShare } from "../limits/waiting-share.ts";
import type { MemberMessages } from "../members/member-messages.ts";
import type { Member } from "../members/member.ts";
import { ClientSocket, type ClientSocketOptions, type ClientSocketOwner } from "./client-socket.ts";
import { ConnectionRequest } from "./connection-request.ts";
import type { Beating, Heartbeat } from "./heartbeat.ts";
import { answersPing } from "./provider-version.ts";
import type { Rester, Resting } from "./resting.ts";
import { RoomAddresses } from "./room-addresses.ts";
import type { Session, SessionWebSocket } from "./session-web-socket.ts";

/** What the clients of one server have in common. */
export interface ClientSessionOptions extends ClientSocketOptions {
  readonly rooms: Hocuspocus<Identity>;
  readonly members: MemberMessages;
  readonly log: Log;
  readonly lines: ClientLines;
  readonly metrics: Pick<Metrics, "message" | "refused">;
  readonly heartbeat: Heartbeat;
  readonly trustProxy: number;
  readonly counts: ConnectionCounts;
  readonly senders: SenderRules;
  readonly fragments: FragmentLimit;
  readonly waitingBytes: WaitingBytes;
  readonly resting: Resting;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly maxRoomsPerConnection: number;
  /** Once the socket is closed, before Hocuspocus is told. */
  readonly onClosed: (socket: ClientSocket) => void;
}

/** A minute, as for those who never came in. A page that changes rooms is in the next one within a second. */
const BEATS_OUTSIDE = 5;

/** An hour: one question to the backend in that time, for a page that was refused and left open, is little enough. */
const BEATS_RESTING = 300;

/** With methods where a function for each client would do as well: of ten thousand clients they would take megabytes. */
export class ClientSession implements Session, ClientSocketOwner, Beating, Rester {
  readonly socket: ClientSocket;
  readonly #options: ClientSessionOptions;
  readonly #client: ReturnType<Hocuspocus<Identity>["handleConnection"]>;
  readonly #webSocket: SessionWebSocket;
  readonly #stream: Duplex;
  readonly #addresses: RoomAddresses;
  readonly #place: Place;
  readonly #waiting: WaitingShare;
  /** Of a stranger. */
  #arrivals: Arrivals | null = null;
  #isMember = false;
  /** Since it left its last room, was put out of it, or was refused and is in none. Null before, when Hocuspocus looks after the time. */
  #beatsOutside: number | null = null;
  #isResting = false;
  /** Of one of the rooms that it has asked for, and so for good: its provider comes to rest once it is in none. */
  #isRefused = false;
  #answersPing = false;
  #isClosed = false;

  constructor(
    options: ClientSessionOptions,
    {
      webSocket,
      stream,
      request,
    }: {
      readonly webSocket: SessionWebSocket;
      readonly stream: Duplex;
      readonly request: IncomingMessage;
    },
  ) {
    this.#options = options;
    this.#webSocket = webSocket;
    this.#stream = stream;
    const connectionRequest = new ConnectionRequest(request, options);
    const address = addressGroup(connectionRequest.ip);
    this.#waiting = new WaitingShare(options.waitingBytes, address);
    this.#addresses = new RoomAddresses({ maxRooms: options.maxRoomsPerConnection, waiting: this.#waiting });
    this.#place = options.counts.enter(address);
    const sender = new Sender(options.senders, address);
    this.socket = new ClientSocket(options, { webSocket, stream, sender, owner: this });
    this.#boundArrivals();
    this.#client = options.rooms.handleConnection(this.socket, connectionRequest as unknown as Request);
    options.heartbeat.watch(this);
    webSocket.tell(this);
  }

  onMessage(message: Buffer, isBinary: boolean): void {
    this.#arrivals?.completed();
    this.#heard();
    if (!this.#mayMessage()) return;
    // An answer to our Ping has no address, so Hocuspocus would take it for a broken message and close the socket.
    if (message.byteLength === 1 && message[0] === MessageType.Pong) return;
    if (!isBinary) this.socket.closeFor(closeReasons.binaryFramesOnly);
    else this.#receive(message);
  }

  onPong(): void {
    this.#heard();
    this.#mayMessage();
  }

  onPing(): void {
    this.#mayMessage();
  }

  onError(error: Error): void {
    this.#options.log.debug({ event: "socket-error", err: error }, "WebSocket error");
  }

  onClose(code: number, reason: string): void {
    const { heartbeat, resting, counts, onClosed } = this.#options;
    heartbeat.unwatch(this);
    this.#isClosed = true;
    resting.delete(this);
    this.#isMember = false;
    counts.leave(this.#place);
    this.#arrivals?.release();
    this.#addresses.release();
    this.socket.sender.leaveDebts();
    onClosed(this.socket);
    this.#client.handleClose({ code, reason });
    this.socket.release();
  }

  onEntered(member: Member): void {
    this.#hasEntered();
    this.socket.sender.entered(member.context.user.id);
    this.#receiveAll(this.#addresses.entered(member));
  }

  onLeft(address: string): void {
    // In the next turn: Hocuspocus says goodbye before it has tidied up.
    setImmediate(() => this.#hasLeft(address));
  }

  onRefused(room: string, { code, reason, retry }: CloseReason): void {
    const { metrics, lines } = this.#options;
    if (!retry) this.#isRefused = true;
    metrics.refused(reason);
    lines.warn({ event: "refused", room, code, reason, retry }, `🚫 Refused: ${reason}`);
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
    this.#takeOverTimeout();
    this.#beatsOutside = null;
    this.#isResting = false;
    this.#options.resting.delete(this);
    this.socket.understandsPing = this.#answersPing;
    this.#options.counts.authenticated(this.#place);
    this.#options.fragments.forMember(this.#webSocket);
    this.#arrivals?.release();
    this.#arrivals = null;
  }

  /** Of all its rooms, it is a stranger again: that it once had a right is no reason to keep it. */
  #hasLeft(address: string): void {
    const waiting = this.#addresses.left(address);
    // Also of one that has not been in any room: once it has logged in, Hocuspocus looks only at when it was heard of last.
    if (this.#addresses.isOutside) this.#beatsOutside ??= 0;
    if (this.#isMember && this.#addresses.isOutside) {
      this.#isMember = false;
      this.#options.counts.stranger(this.#place);
      this.#boundArrivals();
    }
    this.#receiveAll(waiting);
    if (this.#isRefused && this.#addresses.isEmpty) this.#rest();
  }

  /** Until it was in a room, or rests, Hocuspocus looks after the time, by a timer for each client; from then on the heartbeat does. */
  #takeOverTimeout(): void {
    const client: { pingInterval: NodeJS.Timeout | undefined } = this.#client;
    clearInterval(client.pingInterval);
    client.pingInterval = undefined;
  }

  /** What a stranger sends is bounded more closely. */
  #boundArrivals(): void {
    const onTooMuch = (): void => this.socket.cutOff(closeReasons.serverBusy);
    this.#arrivals ??= new Arrivals(this.#stream, { waiting: this.#waiting, onTooMuch });
    this.#options.fragments.forStranger(this.#webSocket);
  }

  /**
   * Kept for an hour, if it is quiet meanwhile: a provider that cannot be pinged closes by itself after half a minute. Not where places are
   * running short: who has given way comes back, is refused again, and would push out the next one.
   */
  #rest(): void {
    const { counts, resting, maxConnections, maxConnectionsPerIp } = this.#options;
    const isSpacious =
      counts.unauthenticated <= maxUnauthenticated(maxConnections) / 2 &&
      counts.of(this.#place.address) <= maxConnectionsPerIp / 2;
    if (this.#isClosed || this.#isResting || !this.#answersPing || !isSpacious) return;
    this.#isResting = true;
    this.#beatsOutside = 0;
    this.socket.understandsPing = true;
    this.#takeOverTimeout();
    resting.add(this, this.#place.address);
  }

  giveWay(): void {
    this.#options.counts.leave(this.#place);
    this.socket.cutOff(closeReasons.connectionTimeout);
  }

  #heard(): void {
    this.socket.heard();
    // Hocuspocus counts only messages as life; a client without awareness in a quiet room sends none.
    this.#client.lastMessageReceivedAt = Date.now();
  }

  #receiveAll(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#receive(message);
  }

  #receive(message: Uint8Array): void {
    if (this.socket.isAway) return;
    try {
      this.#handle(message);
    } catch (error) {
      // A fault of ours; thrown on, it would end the process for everybody.
      this.#options.log.error({ event: "message-failed", err: error }, "A message could not be handled");
      this.socket.closeFor(closeReasons.internalError);
    }
  }

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
    const may = this.socket.sender.mayLogIn(performance.now());
    if (!may) this.socket.holdOff(closeReasons.rateLimited);
    return may;
  }

  /** A message, a ping, which `ws` answers, or a pong: of ours there are two in a minute, and nobody else asks. */
  #mayMessage(): boolean {
    if (this.socket.isAway) return false;
    const may = this.socket.sender.mayMessage(performance.now());
    if (!may) this.socket.holdOff(closeReasons.rateLimited);
    return may;
  }
}
