/**
 * One bare WebSocket in one room. It does what a provider does to get in, and after that only tells messages apart:
 * a real provider would spend more on each message than the server under test.
 */
import { WebSocket } from "ws";
import type { Protocol } from "./wire.ts";

const CONNECT_TIMEOUT_MS = 30_000;

/** Sockets opening at once: enough to be quick, few enough to stay below any listen backlog. */
const CONNECT_CONCURRENCY = 50;

export interface ClientOptions {
  /** Server address without a path: `ws://127.0.0.1:4000`. */
  url: string;
  room: string;
  protocol: Protocol;
  /** The server ended this connection or refused it; a run that loses a client is void. */
  onLost: (reason: string) => void;
}

export class Client {
  readonly synced: Promise<void>;

  /** Set by the load once everybody is in. */
  onUpdate: (message: Buffer) => void = () => {};
  onAck: (isSaved: boolean) => void = () => {};

  readonly #socket: WebSocket;

  constructor({ url, room, protocol, onLost }: ClientOptions) {
    const socket = new WebSocket(url + protocol.path(room), { perMessageDeflate: false });
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    const timeout = setTimeout(() => {
      onLost(`${room} was not synced within ${CONNECT_TIMEOUT_MS} ms`);
    }, CONNECT_TIMEOUT_MS);
    socket.on("open", () => {
      socket.send(protocol.opening(room));
    });
    socket.on("error", (error) => {
      onLost(`${room}: ${error.message}`);
    });
    socket.on("close", (code, reason) => {
      onLost(`${room} was closed with ${code} ${reason.toString()}`);
    });
    socket.on("message", (message) => {
      // Always one Buffer with ws' default binaryType; the type does not know.
      if (!Buffer.isBuffer(message)) return;
      switch (protocol.kind(message)) {
        case "update":
          this.onUpdate(message);
          break;
        case "saved":
          this.onAck(true);
          break;
        case "unsaved":
          this.onAck(false);
          break;
        case "authenticated":
          socket.send(protocol.syncStep1(room));
          break;
        case "synced":
          clearTimeout(timeout);
          resolve();
          break;
        case "ping":
          socket.send(protocol.pong(room));
          break;
        case "refused":
          onLost(`${room} was refused`);
          break;
        case "other":
          // The server's SyncStep1 stays unanswered on purpose: this document is empty, and without an answer every
          // acknowledgement that comes belongs to an update of the load.
          break;
      }
    });
  }

  send(message: Uint8Array): void {
    this.#socket.send(message);
  }
}

/** Opens clients in this order, and resolves when all of them are synced. */
export async function openClients(
  places: Pick<ClientOptions, "url" | "room">[],
  options: Omit<ClientOptions, "url" | "room">,
): Promise<Client[]> {
  const clients: Client[] = [];
  for (let from = 0; from < places.length; from += CONNECT_CONCURRENCY) {
    const opened = places
      .slice(from, from + CONNECT_CONCURRENCY)
      .map((place) => new Client({ ...options, ...place }));
    // In groups, one after the other: that is what bounds the concurrency.
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all(opened.map(async (client) => client.synced));
    clients.push(...opened);
  }
  return clients;
}
