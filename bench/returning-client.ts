/** Somebody in one room who goes and comes back, as a stock provider would: again a second after each failure. */
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { protocols } from "./wire.ts";

const COMEBACK_MS = 1_000;

export interface ReturningClientOptions {
  url: string;
  room: string;
  token: string;
  /** As a proxy would state it. */
  address: string;
}

export class ReturningClient {
  readonly #options: ReturningClientOptions;
  #socket: WebSocket | null = null;
  /** Attempts that ended without being let in. */
  failures = 0;

  constructor(options: ReturningClientOptions) {
    this.#options = options;
  }

  /** Resolves with the time that it took, ms, once the room is synced. */
  async enter(): Promise<number> {
    const startedAt = performance.now();
    // Each attempt follows from the failure of the last.
    // oxlint-disable-next-line no-await-in-loop
    while (!(await this.#attempt())) {
      this.failures += 1;
      // oxlint-disable-next-line no-await-in-loop
      await delay(COMEBACK_MS);
    }
    return performance.now() - startedAt;
  }

  leave(): void {
    this.#socket?.removeAllListeners("close");
    this.#socket?.terminate();
  }

  async #attempt(): Promise<boolean> {
    const { url, room, token, address } = this.#options;
    const protocol = protocols.hocuspocus;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const headers = { "x-forwarded-for": address };
    const socket = new WebSocket(url, { perMessageDeflate: false, headers });
    this.#socket = socket;
    socket.on("open", () => socket.send(protocol.opening(room, token)));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
    socket.on("message", (message: Buffer) => {
      const kind = protocol.kind(message);
      if (kind === "authenticated") socket.send(protocol.syncStep1(room));
      else if (kind === "synced") resolve(true);
      else if (kind === "refused") resolve(false);
    });
    return promise;
  }
}
