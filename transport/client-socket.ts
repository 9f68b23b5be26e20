/**
 * One client's WebSocket, as Hocuspocus sees it (its `WebSocketLike`). Everything sent to a client passes here, so here are
 *
 * - what a refusal looks like: final ones stay messages, ours-to-mend ones become a close that asks to come back;
 * - the write path: a broadcast is framed once.
 */
import type { Duplex } from "node:stream";
import { MessageType, OutgoingMessage, type Connection, type WebSocketLike } from "@hocuspocus/server";
import { WebSocket } from "ws";
import type { Sender } from "../limits/sender.ts";
import { closeReasonNamed, closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Acks, AckWriter } from "./acks.ts";
import type { Comeback } from "./comeback.ts";
import { binaryFrame, frameStart } from "./frame.ts";
import { OutgoingFrames, type OutgoingFramesOptions } from "./outgoing-frames.ts";
import { isPresenceMessage, isUpdateMessage, readOutgoingMessage, roomIn } from "./outgoing-message.ts";

/** Of all clients of one server. */
export interface ClientSocketOptions extends OutgoingFramesOptions {
  readonly acks: Acks;
  /** How long to wait before a close that asks to come back. */
  readonly comeback: Comeback;
}

/** Whose socket it is. */
export interface ClientSocketOwner {
  /** Hocuspocus has let this client into a room. */
  onEntered(connection: Connection<Identity>): void;
  /** Hocuspocus is done with an address: refused, or left by the client. */
  onLeft(address: string): void;
  onRefused(room: string, closeReason: CloseReason): void;
}

/** A minute: longer than a stock provider waits for its first message, so it is not us who give up on a slow network. */
const READING_PATIENCE_BEATS = 5;

/** A mobile network that changes cells answers a ping well within. */
const PROBE_PATIENCE_MS = 5000;

/**
 * How long a client that sent too much is kept without being read, before it is told to come back. In this time its allowance would have come
 * back as well: who waits and begins anew, as the stock provider does, gets no more through than who keeps to the rate.
 */
const HOLD_OFF_MS = 10_000;

/** A client that does not answer our close frame is cut off after this. */
const CLOSE_PATIENCE_MS = 2000;

/** A whole message of one byte, without an address; the provider answers with a Pong of the same form. */
const applicationPing = binaryFrame(Uint8Array.of(MessageType.Ping));

/** One entry, by identity: Hocuspocus hands the same array to every connection of a broadcast. */
let lastPayload: Uint8Array | null = null;
let lastFrame: Buffer = Buffer.alloc(0);

export class ClientSocket implements WebSocketLike, AckWriter {
  /** What this client may send. */
  readonly sender: Sender;
  readonly #options: ClientSocketOptions;
  readonly #owner: ClientSocketOwner;
  readonly #webSocket: WebSocket;
  readonly #frames: OutgoingFrames;
  #leaving: NodeJS.Timeout | null = null;
  #probing: NodeJS.Timeout | null = null;
  #released = false;
  #isAway = false;
  #echo: { readonly address: string; readonly update: Uint8Array } | null = null;
  #ownPresence: { readonly address: string; readonly client: number } | null = null;
  #sentSinceBeat = false;
  #heardSinceBeat = true;
  #silentBeats = 0;
  /** Its provider answers the application-level Ping, and may be sent one. */
  understandsPing = false;

  constructor(
    options: ClientSocketOptions,
    {
      webSocket,
      stream,
      sender,
      owner,
    }: {
      readonly webSocket: WebSocket;
      /** The stream below `webSocket`. */
      readonly stream: Duplex;
      readonly sender: Sender;
      readonly owner: ClientSocketOwner;
    },
  ) {
    this.#options = options;
    this.#webSocket = webSocket;
    this.sender = sender;
    this.#owner = owner;
    this.#frames = new OutgoingFrames(options, webSocket, stream);
  }

  /**
   * Open until Hocuspocus has been told of the close. It checks this before each send and closes its connection at any other value:
   * while it removes a closed connection it broadcasts the leaving presence to it as well, and would run its whole disconnect twice
   * (seen on 4.7 with `flushDelay: false`). What is sent meanwhile is dropped below.
   */
  get readyState(): number {
    return this.#released ? WebSocket.CLOSED : WebSocket.OPEN;
  }

  /** What waits to be read by this client. */
  get bufferedBytes(): number {
    return this.#frames.waitingBytes;
  }

  /** Sent away, and only there until its close is done: nothing that it sends counts. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** The update that Hocuspocus is about to broadcast came from here, over the connection with this address. */
  expectEcho(address: string, update: Uint8Array): void {
    this.#echo = { address, update };
  }

  /** Runs what broadcasts the presence of a client that came from here, over the connection with this address, and sends it not back. */
  withoutPresence(own: { readonly address: string; readonly client: number }, broadcast: () => void): void {
    this.#ownPresence = own;
    try {
      broadcast();
    } finally {
      this.#ownPresence = null;
    }
  }

  send(message: Uint8Array): void {
    if (this.#ownPresence && isPresenceMessage(message, this.#ownPresence)) return;
    if (this.#echo && isUpdateMessage(message, this.#echo)) {
      this.#echo = null;
      return;
    }
    if (message === lastPayload) {
      this.writeFrame(lastFrame);
      return;
    }
    const outgoing = readOutgoingMessage(message);
    switch (outgoing.kind) {
      case "refused":
        this.#refuse(outgoing.address, closeReasonNamed(outgoing.reason));
        break;
      case "left":
        this.writeFrame(binaryFrame(message));
        this.#owner.onLeft(outgoing.address);
        break;
      case "plain":
        lastPayload = message;
        lastFrame = binaryFrame(message);
        this.writeFrame(lastFrame);
        break;
      default:
        outgoing satisfies never;
    }
  }

  /** Tells the client that so many of its edits are saved, once all edits of the room so far are. */
  acknowledge(connection: Connection, count: number): void {
    this.#options.acks.promise(connection, { writer: this, count });
  }

  /** Sends a message whose large part is not copied. */
  sendInParts(start: Uint8Array, rest: Uint8Array): void {
    const beginning = frameStart(start, rest);
    this.writeFrame(beginning, Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength));
  }

  /** Resolves when what was sent is on its way, or the client is gone. */
  drained(): Promise<void> {
    return this.#frames.drained();
  }

  /** Hocuspocus has let this client into a room. */
  entered(connection: Connection<Identity>): void {
    this.#owner.onEntered(connection);
  }

  /** For Hocuspocus. Its "Unauthorized" stands for a message that it could not read, and must not look like a refusal. */
  close(code?: number, reason = ""): void {
    if (code === undefined || code === closeReasons.tokenInvalid.code)
      this.closeFor(closeReasons.resetConnection);
    else this.closeFor({ code, reason });
  }

  /** Closes in an orderly way, after what was sent before. */
  closeFor({ code, reason }: Pick<CloseReason, "code" | "reason">): void {
    this.#frames.flush();
    this.#webSocket.resume();
    this.#webSocket.close(code, reason);
  }

  /** For a client that sends too much: reads nothing more of it for a while, then asks it to come back. */
  holdOff(closeReason: CloseReason): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#owner.onRefused("", closeReason);
    // Not at its close: of a socket that is not read it is seen late, or never, that the client has gone and comes anew.
    this.sender.leaveDebts();
    this.#webSocket.pause();
    if (this.#leaving) clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => this.closeFor(closeReason), HOLD_OFF_MS);
  }

  /** For a client whose memory is needed: reads nothing more of it and is done with it soon, whether or not it answers. */
  cutOff(closeReason: CloseReason): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#owner.onRefused("", closeReason);
    this.closeFor(closeReason);
    this.#webSocket.pause();
    if (this.#leaving) clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => this.terminate(), CLOSE_PATIENCE_MS);
  }

  /** Ends it without a word: for a peer that is gone or does not read, where a close frame would only wait as well. */
  terminate(): void {
    this.#frames.drop();
    this.#webSocket.terminate();
  }

  /** The client gave a sign of life. */
  heard(): void {
    this.#heardSinceBeat = true;
    if (this.#probing) clearTimeout(this.#probing);
    this.#probing = null;
  }

  /** Ends the socket unless the client gives a sign of life soon: somebody waits for what it may have left behind. */
  probe(): void {
    if (this.#probing || this.#released) return;
    this.#webSocket.ping();
    this.#probing = setTimeout(() => {
      this.#probing = null;
      // Our ping waits behind what it still has to read, and anybody can have a probe made of anybody: the heartbeat decides.
      if (!this.#frames.isBehind) this.terminate();
    }, PROBE_PATIENCE_MS);
  }

  /**
   * Asks for a sign of life, and gives one where nothing else was sent. Ends a socket that did not answer the last time.
   * The WebSocket ping is answered by every browser and library, but pages do not see it; the application-level one is seen.
   */
  beat(): void {
    this.#silentBeats = this.#heardSinceBeat ? 0 : this.#silentBeats + 1;
    // Our ping waits behind what the client still has to read, and so does its answer.
    const patience = this.#frames.isBehind ? READING_PATIENCE_BEATS : 1;
    if (this.#silentBeats >= patience) {
      this.terminate();
      return;
    }
    this.#heardSinceBeat = false;
    this.#webSocket.ping();
    if (this.understandsPing && !this.#sentSinceBeat) this.writeFrame(applicationPing);
    this.#sentSinceBeat = false;
  }

  /** Called once the socket is closed and Hocuspocus knows. */
  release(): void {
    this.#released = true;
    if (this.#leaving) clearTimeout(this.#leaving);
    if (this.#probing) clearTimeout(this.#probing);
    this.#frames.drop();
  }

  /** @param rest of the frame, which is not copied. */
  writeFrame(frame: Buffer, rest?: Buffer): void {
    this.#sentSinceBeat = true;
    if (this.#frames.add(frame, rest)) return;
    this.#owner.onRefused("", closeReasons.slowConsumer);
    this.terminate();
  }

  #refuse(address: string, closeReason: CloseReason): void {
    // Hocuspocus says goodbye to each room of a socket that is closed already.
    if (!this.#frames.isOpen) return;
    if (closeReason === closeReasons.rateLimited) {
      this.holdOff(closeReason);
      return;
    }
    const room = roomIn(address);
    this.#owner.onRefused(room, closeReason);
    if (!closeReason.retry) {
      // The provider stops asking for this room and keeps the socket, which may carry others.
      const denial = new OutgoingMessage(address).writePermissionDenied(closeReason.reason);
      this.writeFrame(binaryFrame(denial.toUint8Array()));
      this.#owner.onLeft(address);
      return;
    }
    // Hocuspocus' own word for it would end the provider's attempts (PermissionDenied) or leave it sitting on an open socket
    // without the room (CLOSE). Only a closed socket makes it come back.
    const troubledRoom = closeReason === closeReasons.sessionExpired ? null : room;
    this.#leaving ??= setTimeout(
      () => this.closeFor(closeReason),
      this.#options.comeback.delayMs(troubledRoom),
    );
  }
}
