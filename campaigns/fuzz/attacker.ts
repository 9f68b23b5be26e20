/** Plays sessions, one socket each, and counts how they end. */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Session } from "./session.ts";

export interface Ends {
  readonly messages: number;
  /** By close code; 0 where the attacker hung up before anything. */
  readonly byCode: ReadonlyMap<number, number>;
}

export class Attacker {
  readonly #url: string;
  readonly #byCode = new Map<number, number>();
  #messages = 0;

  constructor(url: string) {
    this.#url = url;
  }

  get ends(): Ends {
    return { messages: this.#messages, byCode: this.#byCode };
  }

  /** @throws when the server does not take the socket: it takes all of them. */
  async play({ messages, isCutOff }: Session): Promise<void> {
    const socket = new WebSocket(this.#url);
    const closed = once(socket, "close") as Promise<[number]>;
    await once(socket, "open");
    socket.on("error", () => {});
    for (const message of messages) {
      // What is sent after the server's close is sent for nothing.
      if (socket.readyState !== WebSocket.OPEN) break;
      socket.send(message);
      this.#messages++;
      // Lets the server answer in between, and the session take its course.
      if (this.#messages % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (isCutOff) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) {
      // Behind everything: all of it has been handled when the answer comes, if one comes.
      socket.ping();
      await Promise.race([once(socket, "pong"), closed]);
      socket.close();
    }
    const [code] = await closed;
    this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
  }
}
