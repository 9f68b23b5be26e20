/** A bare WebSocket that speaks the wire format. The server acknowledges update by update, so the n-th ack is for the n-th update. */
import { WebSocket } from "ws";
import * as Y from "yjs";
import { protocols } from "../../bench/wire.ts";
import type { Edit } from "./ledger.ts";
import type { RawWriterPlan } from "./round-plan.ts";
import type { Writer, WriterOptions } from "./writer.ts";

const wire = protocols.hocuspocus;

export class RawWriter implements Writer {
  readonly joined: Promise<void>;
  readonly gone: Promise<void>;
  readonly outstanding: Edit[] = [];
  readonly #options: WriterOptions;
  readonly #window: number;
  readonly #paceMs: number | null;
  readonly #ballast: string;
  readonly #socket: WebSocket;
  readonly #joined = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  /** Knows nothing of the room: its edits are its own keys. */
  readonly #doc = new Y.Doc();
  #pace: NodeJS.Timeout | null = null;

  constructor(options: WriterOptions, { window, paceMs, ballastBytes }: RawWriterPlan) {
    this.#options = options;
    this.#window = window;
    this.#paceMs = paceMs;
    this.#ballast = "x".repeat(ballastBytes);
    this.joined = this.#joined.promise;
    this.gone = this.#gone.promise;
    this.#socket = new WebSocket(options.url + wire.path(options.room));
    this.#socket.on("open", () => this.#socket.send(wire.opening(options.room)));
    this.#socket.on("message", (data: Buffer) => this.#onMessage(data));
    this.#socket.on("error", (error) => this.#joined.reject(error));
    this.#socket.on("close", (code) => {
      clearInterval(this.#pace ?? undefined);
      this.#joined.reject(new Error(`Closed with ${code}`));
      this.#gone.resolve();
    });
    this.#doc.on("update", (update: Uint8Array) => this.#socket.send(wire.update(options.room, update)));
  }

  get isInside(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  start(): void {
    if (this.#paceMs === null) this.#fill();
    else this.#pace = setInterval(() => this.#write(), this.#paceMs);
  }

  leave(): void {
    clearInterval(this.#pace ?? undefined);
    this.#socket.terminate();
  }

  #onMessage(data: Buffer): void {
    switch (wire.kind(data)) {
      case "authenticated":
        this.#joined.resolve();
        break;
      case "saved": {
        const edit = this.outstanding.shift();
        if (!edit) throw new Error(`${this.#options.room}: an ack for nothing`);
        this.#options.onAcknowledged([edit]);
        if (this.#paceMs === null) this.#fill();
        break;
      }
      case "unsaved":
      case "refused":
        this.#socket.terminate();
        break;
      case "ping":
        this.#socket.send(wire.pong(this.#options.room));
        break;
      case "synced":
      case "update":
      case "other":
        break;
    }
  }

  #fill(): void {
    while (this.outstanding.length < this.#window && this.isInside) this.#write();
  }

  #write(): void {
    if (this.outstanding.length >= this.#window || !this.isInside) return;
    const edit = this.#options.next();
    this.outstanding.push(edit);
    this.#doc.transact(() => {
      this.#doc.getMap("tasks").set(edit.key, edit.value);
      // Overwritten, so that it makes the journal long and the merged room hardly larger.
      if (this.#ballast) this.#doc.getMap("ballast").set("text", this.#ballast);
    });
  }
}
