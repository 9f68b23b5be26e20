const FINAL_BINARY = 0x82;
const MAX_7_BIT = 125;
const MAX_16_BIT = 0xff_ff;

/**
 * A server-to-client WebSocket frame (RFC 6455, 5.2): unmasked, one fragment, binary.
 *
 * `ws` builds the header for every receiver anew; a room of 200 gets one frame built here instead.
 */
export function binaryFrame(payload: Uint8Array): Buffer {
  const length = payload.byteLength;
  const headerBytes = length <= MAX_7_BIT ? 2 : length <= MAX_16_BIT ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame[0] = FINAL_BINARY;
  if (headerBytes === 2) frame[1] = length;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(payload, headerBytes);
  return frame;
}
