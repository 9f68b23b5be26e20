/** What the client socket has to know of a message that Hocuspocus sends: wire format of @hocuspocus/server 4.7. */
import { MessageType } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { messageYjsUpdate } from "y-protocols/sync";

/** Sub-type of an Auth message (@hocuspocus/common 4.7, `AuthMessageType`, which the server package does not export). */
const PERMISSION_DENIED = 1;

/** Said by Hocuspocus when a provider left a room by itself. */
const PROVIDER_INITIATED = "provider_initiated";

export type OutgoingMessage =
  /** This client is not let into the room, or put out of it. */
  | { readonly kind: "refused"; readonly address: string; readonly reason: string }
  /** Hocuspocus has let go of an address that the client left by itself. */
  | { readonly kind: "left"; readonly address: string }
  | { readonly kind: "plain" };

const plain: OutgoingMessage = { kind: "plain" };

export function readOutgoingMessage(message: Uint8Array): OutgoingMessage {
  const decoder = decoding.createDecoder(message);
  // Skipped, not decoded: most messages are plain, and only their type is asked for.
  const addressBytes = decoding.readVarUint(decoder);
  decoder.pos += addressBytes;

  switch (decoding.readVarUint(decoder)) {
    case MessageType.Auth: {
      if (decoding.readVarUint(decoder) !== PERMISSION_DENIED) return plain;
      return { kind: "refused", address: addressOf(message), reason: decoding.readVarString(decoder) };
    }
    case MessageType.CLOSE: {
      const reason = decoding.readVarString(decoder);
      const address = addressOf(message);
      return reason === PROVIDER_INITIATED ? { kind: "left", address } : { kind: "refused", address, reason };
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
  const decoder = decoding.createDecoder(message);
  // A first sync (step 2) of a room with one update ends in the same bytes, and must never be dropped.
  return (
    decoding.readVarString(decoder) === address &&
    decoding.readVarUint(decoder) === MessageType.Sync &&
    decoding.readVarUint(decoder) === messageYjsUpdate
  );
}

/** Whether `message` shows the presence of exactly this client to this address. */
export function isPresenceMessage(
  message: Uint8Array,
  { address, client }: { readonly address: string; readonly client: number },
): boolean {
  const decoder = decoding.createDecoder(message);
  if (decoding.readVarString(decoder) !== address) return false;
  if (decoding.readVarUint(decoder) !== MessageType.Awareness) return false;
  // Length of the update, entries in it, and the first one's client.
  decoding.readVarUint(decoder);
  return decoding.readVarUint(decoder) === 1 && decoding.readVarUint(decoder) === client;
}

/** The address is `room` or, from a provider with session awareness, `room\0session`. */
export function roomIn(address: string): string {
  return address.split("\0", 1)[0] ?? "";
}

/** As Hocuspocus reads it: a decoder of our own could take other bytes for the same name. */
function addressOf(message: Uint8Array): string {
  return decoding.readVarString(decoding.createDecoder(message));
}
