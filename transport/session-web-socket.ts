/**
 * A WebSocket that tells its session what comes. With listeners that all sockets share: five functions for each would take half a kilobyte of
 * it, of ten thousand sockets 5 MB.
 */
import { WebSocket, type RawData } from "ws";

export interface Session {
  onMessage(message: Buffer, isBinary: boolean): void;
  /** `ws` answers it. */
  onPing(): void;
  onPong(): void;
  /** To be followed by `onClose`. */
  onError(error: Error): void;
  onClose(code: number, reason: string): void;
}

export class SessionWebSocket extends WebSocket {
  session: Session | null = null;

  /** Tells it everything from now on; to be called once. */
  tell(session: Session): void {
    this.session = session;
    this.on("message", onMessage)
      .on("ping", onPing)
      .on("pong", onPong)
      .on("error", onError)
      .on("close", onClose);
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  // One Buffer, whatever came: the default of `ws`.
  sessionOf(this)?.onMessage(data as Buffer, isBinary);
}

function onPing(this: WebSocket): void {
  sessionOf(this)?.onPing();
}

function onPong(this: WebSocket): void {
  sessionOf(this)?.onPong();
}

function onError(this: WebSocket, error: Error): void {
  sessionOf(this)?.onError(error);
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  sessionOf(this)?.onClose(code, reason.toString());
}

function sessionOf(webSocket: WebSocket): Session | null {
  return (webSocket as SessionWebSocket).session;
}
