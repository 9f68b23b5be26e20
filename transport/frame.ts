const FINAL_BINARY = 0x82;
const MAX_7_BIT = 125;
const MAX_16_BIT = 0xff_ff;

/** The header of a server-to-client WebSocket frame (RFC 6455, 5.2): unmasked, one fragment, binary. With room for `extraBytes` after it. */
function frameWithHeader(payloadBytes: number, extraBytes: number): { frame: Buffer; headerBytes: number } {
  const headerBytes = payloadBytes <= MAX_7_BIT ? 2 : payloadBytes <= MAX_16_BIT ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + extraBytes);
  frame[0] = FINAL_BINARY;
  if (headerBytes === 2) frame[1] = payloadBytes;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(payloadBytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(payloadBytes), 2);
  }
  return { frame, headerBytes };
}

/**
 * A whole frame.
 *
 * `ws` builds the header for every receiver anew; a room of 200 gets one frame built here instead.
 */
export function binaryFrame(payload: Uint8Array): Buffer {
  const { frame, headerBytes } = frameWithHeader(payload.byteLength, payload.byteLength);
  frame.set(payload, headerBytes);
  return frame;
}

/** The beginning of a frame whose payload is `start` and then `rest`, which is not copied: it may have 20 MB. */
export function frameStart(start: Uint8Array, rest: Uint8Array): Buffer {
  const { frame, headerBytes } = frameWithHeader(start.byteLength + rest.byteLength, start.byteLength);
  frame.set(start, headerBytes);
  return frame;
}
