/** A client that says exactly what a test tells it, well-formed or not, over a bare `ws`. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import * as encoding from "lib0/encoding";
import { MessageType, OutgoingMessage } from "@hocuspocus/server";
import { onTestFinished } from "vitest";
import { WebSocket, type ClientOptions as WsOptions } from "ws";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import { until } from "./until.ts";

export interface Close {
  readonly code: number;
  readonly reason: string;
}

export class RawClient {
  readonly socket: WebSocket;
  readonly messages: Uint8Array[] = [];
  close: Close | null = null;

  constructor(url: string, options?: WsOptions) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"), options);
    this.socket.on("message", (data: Buffer) => this.messages.push(data));
    this.socket.on("close", (code, reason) => (this.close = { code, reason: reason.toString() }));
    this.socket.on("error", () => {});
    onTestFinished(() => this.socket.terminate());
  }

  async opened(): Promise<this> {
    if (this.socket.readyState !== WebSocket.OPEN) await once(this.socket, "open");
    return this;
  }

  async closed(timeoutMs?: number): Promise<Close> {
    return until("socket closed", () => this.close, timeoutMs ? { timeoutMs } : {});
  }

  /** Logs in to a room. `version` is what a provider states of itself; null states none, as providers before 4 did. */
  login(
    room: string,
    { token = "guest", version = "4.8.0" }: { token?: string; version?: string | null } = {},
  ): void {
    this.send(room, MessageType.Auth, (encoder) => {
      encoding.writeVarUint(encoder, 0);
      encoding.writeVarString(encoder, token);
      if (version !== null) encoding.writeVarString(encoder, version);
    });
  }

  send(room: string, type: MessageType, write: (encoder: encoding.Encoder) => void = () => {}): void {
    const encoder = encoding.createEncoder();
    encoding.writeVarString(encoder, room);
    encoding.writeVarUint(encoder, type);
    write(encoder);
    this.socket.send(encoding.toUint8Array(encoder));
  }

  /** In the room, with its first sync begun; the server's question for its own state is not answered yet. */
  async inside(room: string): Promise<this> {
    await this.opened();
    this.login(room);
    this.firstSync(room);
    await this.received(room, MessageType.Sync);
    return this;
  }

  /** Asks for what the room has beyond a state vector: for all of it, as a client that knows nothing. */
  firstSync(room: string, stateVector: Uint8Array = Uint8Array.of(0)): void {
    this.#sync(room, messageYjsSyncStep1, stateVector);
  }

  /** All that the client has: the answer to the server's own question. */
  state(room: string, update: Uint8Array): void {
    this.#sync(room, messageYjsSyncStep2, update);
  }

  update(room: string, update: Uint8Array): void {
    this.#sync(room, messageYjsUpdate, update);
  }

  #sync(room: string, type: number, payload: Uint8Array): void {
    this.send(room, MessageType.Sync, (encoder) => {
      encoding.writeVarUint(encoder, type);
      encoding.writeVarUint8Array(encoder, payload);
    });
  }

  /** How many edits the client was told to be saved. */
  acksTo(room: string): number {
    return this.count(new OutgoingMessage(room).writeSyncStatus(true).toUint8Array());
  }

  /** Resolves when all that the server has sent until now is here. */
  async caughtUp(): Promise<void> {
    this.socket.ping();
    await once(this.socket, "pong");
  }

  /** Put out of a room, or not let in, for good. */
  async refused(room: string, reason: string): Promise<void> {
    const denial = new OutgoingMessage(room).writePermissionDenied(reason).toUint8Array();
    await until(`refused: ${reason}`, () => this.count(denial) > 0);
  }

  count(message: Uint8Array): number {
    return this.messages.filter((candidate) => Buffer.from(candidate).equals(message)).length;
  }

  /** What follows the type in each message of this type to `room`, so far. */
  contents(room: string, type: MessageType): readonly Uint8Array[] {
    const prefix = encoding.encode((encoder) => {
      encoding.writeVarString(encoder, room);
      encoding.writeVarUint(encoder, type);
    });
    return this.messages
      .filter((candidate) => Buffer.from(candidate).subarray(0, prefix.length).equals(prefix))
      .map((message) => message.subarray(prefix.length));
  }

  /** Waits for a message of this type to `room`, and returns what follows the type. */
  async received(room: string, type: MessageType): Promise<Uint8Array> {
    return until(`message ${MessageType[type]} in ${room}`, () => this.contents(room, type)[0]);
  }
}

/** The status line and headers with which an upgrade is refused. */
export async function refusedUpgrade(
  url: string,
  options?: WsOptions,
): Promise<{ status: number; headers: Record<string, string | string[] | undefined> }> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), options);
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  response.destroy();
  socket.terminate();
  return { status: response.statusCode ?? 0, headers: response.headers };
}
