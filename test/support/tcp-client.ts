/** A WebSocket client below `ws`: frames as they are on the wire, in whatever pieces. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: x",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "",
  "",
].join("\r\n");

/** An upgraded connection. What the server sends is counted, and read by nobody. */
export class TcpClient {
  readonly socket: Socket;
  isClosed = false;
  /** Of the server's close frame. */
  closeCode: number | null = null;

  private constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.on("error", () => {}).on("close", () => (this.isClosed = true));
    onTestFinished(() => void this.socket.destroy());
  }

  static async open(url: string): Promise<TcpClient> {
    const client = new TcpClient(url);
    client.socket.write(HANDSHAKE);
    await once(client.socket, "data");
    client.socket.on("data", (data: Buffer) => {
      if (data[0] === 0x88) client.closeCode = data.readUInt16BE(2);
    });
    return client;
  }

  /** Resolves when the bytes have been handed to the system, or the server is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.isClosed) await new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()));
  }
}

/** A frame of a client, masked with zeros. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array,
  {
    fin = true,
    claimedBytes = payload.byteLength,
  }: { readonly fin?: boolean; readonly claimedBytes?: number } = {},
): Buffer {
  const head = Buffer.alloc(claimedBytes < 126 ? 6 : 14);
  head[0] = opcode | (fin ? 0x80 : 0);
  head[1] = 0x80 | (claimedBytes < 126 ? claimedBytes : 127);
  if (claimedBytes >= 126) head.writeBigUInt64BE(BigInt(claimedBytes), 2);
  return Buffer.concat([head, payload]);
}
