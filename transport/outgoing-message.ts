/** What the client socket has to know of a message that Hocuspocus sends: wire format of @hocuspocus/server 4.7. */
import { MessageType } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";

/** Sub-type of an Auth message (@hocuspocus/common 4.7, `AuthMessageType`, which the server package does not export). */
const PERMISSION_DENIED = 1;

/** Said by Hocuspocus when a provider left a room by itself. */
const PROVIDER_INITIATED = "provider_initiated";

export type OutgoingMessage =
  /** The edits of this room so far are saved. */
  | { readonly kind: "saved"; readonly room: string }
  /** This client is not let into the room, or put out of it. */
  | { readonly kind: "refused"; readonly room: string; readonly reason: string }
  | { readonly kind: "plain" };

const plain: OutgoingMessage = { kind: "plain" };

export function readOutgoingMessage(message: Uint8Array): OutgoingMessage {
  const decoder = decoding.createDecoder(message);
  const addressBytes = decoding.readVarUint(decoder);
  const addressStart = decoder.pos;
  decoder.pos += addressBytes;
  const room = (): string => roomIn(message.subarray(addressStart, addressStart + addressBytes));

  switch (decoding.readVarUint(decoder)) {
    case MessageType.SyncStatus:
      return decoding.readVarUint(decoder) === 1 ? { kind: "saved", room: room() } : plain;
    case MessageType.Auth: {
      if (decoding.readVarUint(decoder) !== PERMISSION_DENIED) return plain;
      return { kind: "refused", room: room(), reason: decoding.readVarString(decoder) };
    }
    case MessageType.CLOSE: {
      const reason = decoding.readVarString(decoder);
      return reason === PROVIDER_INITIATED ? plain : { kind: "refused", room: room(), reason };
    }
    default:
      return plain;
  }
}

/** Whether `message` brings exactly this update to this address. */
export function isUpdateMessage(
  message: Uint8Array,
  { address, update }: { readonly address: string; readonly update: Uint8Array },
): boolean {
  const start = message.byteLength - update.byteLength;
  if (start <= 0 || Buffer.compare(message.subarray(start), update) !== 0) return false;
  return decoding.readVarString(decoding.createDecoder(message)) === address;
}

const utf8 = new TextDecoder();

/** The address is `room` or, from a provider with session awareness, `room\0session`. */
function roomIn(address: Uint8Array): string {
  const end = address.indexOf(0);
  return utf8.decode(end === -1 ? address : address.subarray(0, end));
}
