/**
 * The frames to one client: those of a turn in one write, and a limit on what waits for a client that does not read.
 */
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { TurnWriter } from "./turn-writer.ts";

/** Of all clients of one server. */
export interface OutgoingFramesOptions {
  readonly writer: TurnWriter;
  readonly maxBufferedBytes: number;
}

/** Concatenating beats a write per frame up to here; above, copying costs more than a system call. */
const LARGE_FRAME_BYTES = 65_536;

export class OutgoingFrames {
  readonly #options: OutgoingFramesOptions;
  readonly #webSocket: WebSocket;
  readonly #stream: Duplex;
  readonly #frames: Buffer[] = [];
  #frameBytes = 0;
  /** Of those that were sent since nothing was waiting. */
  #largestFrameBytes = 0;

  /** @param stream below `webSocket`: frames go to it directly, between those of `ws`, which writes synchronously too. */
  constructor(options: OutgoingFramesOptions, webSocket: WebSocket, stream: Duplex) {
    this.#options = options;
    this.#webSocket = webSocket;
    this.#stream = stream;
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN;
  }

  /** What waits to be read by the client, bytes. */
  get waitingBytes(): number {
    return this.#stream.writableLength + this.#frameBytes;
  }

  /** The client is behind with reading: what is written now waits behind what it still has to read. */
  get isBehind(): boolean {
    return this.#stream.writableLength > 0;
  }

  /**
   * Writes a frame at the end of the turn; nothing, where the socket is not open.
   * @param rest of the frame, which is not copied.
   * @returns false, and nothing is written, where too much waits.
   */
  add(frame: Buffer, rest?: Buffer): boolean {
    if (!this.isOpen) return true;
    const frameBytes = frame.byteLength + (rest?.byteLength ?? 0);
    const { waitingBytes } = this;
    this.#largestFrameBytes = waitingBytes === 0 ? frameBytes : Math.max(this.#largestFrameBytes, frameBytes);
    // The largest frame does not count: a room larger than the limit could not be joined, whatever follows it in the same turn.
    if (waitingBytes + frameBytes - this.#largestFrameBytes > this.#options.maxBufferedBytes) return false;
    if (this.#frames.length === 0) this.#options.writer.add(this);
    this.#frames.push(frame);
    if (rest) this.#frames.push(rest);
    this.#frameBytes += frameBytes;
    return true;
  }

  /** Writes the frames of this turn. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    const stream = this.#stream;
    if (this.isOpen && stream.writable) {
      if (frames.length === 1) stream.write(frames[0]);
      else if (this.#frameBytes <= LARGE_FRAME_BYTES) stream.write(Buffer.concat(frames, this.#frameBytes));
      else for (const frame of frames) stream.write(frame);
    }
    this.drop();
  }

  /** Empties the array in place: a new one for each write is garbage that a room of 200 makes 200 times an update. */
  drop(): void {
    this.#frames.length = 0;
    this.#frameBytes = 0;
  }

  /** Resolves when what was sent is on its way, or the client is gone. */
  async drained(): Promise<void> {
    const stream = this.#stream;
    this.flush();
    if (!stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off("drain", done).off("close", done);
        resolve();
      };
      stream.on("drain", done).on("close", done);
    });
  }
}
