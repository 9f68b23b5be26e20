/**
 * The two wire protocols, reduced to what a load generator needs: opening a room, sending an update, and telling
 * by two or three bytes what came back. Sources: @hocuspocus/server/src/types.ts (MessageType),
 * @hocuspocus/provider/src/OutgoingMessages, y-protocols/sync.js; checked on Hocuspocus 4.7 and y-websocket 2.1.
 *
 * Hocuspocus puts the room's name before every message, y-websocket has it in the URL; behind that both speak
 * y-protocols. Nothing is decoded beyond the type bytes: the generator shares the machine with the server.
 */
import * as encoding from "lib0/encoding";
import * as sync from "y-protocols/sync";

/** Stated in the auth message, as the real provider does; a server may choose by it what it sends. */
const PROVIDER_VERSION = "4.8.0";

/** y-protocols' state vector of an empty document: no clients. */
const EMPTY_STATE_VECTOR = Uint8Array.of(0);

const MessageType = { Sync: 0, Auth: 2, SyncReply: 4, Close: 7, SyncStatus: 8, Ping: 9, Pong: 10 } as const;
const AuthType = { Token: 0, PermissionDenied: 1, Authenticated: 2 } as const;

export type ProtocolName = "hocuspocus" | "y-websocket";

/** What a received message is, as far as the generator cares. */
export type Kind = "authenticated" | "synced" | "update" | "saved" | "unsaved" | "ping" | "refused" | "other";

export interface Protocol {
  /** Path of the WebSocket URL for this room. */
  path(room: string): string;
  /** First message after the socket opened. */
  opening(room: string, token?: string): Uint8Array;
  /** Answer to "authenticated". */
  syncStep1(room: string): Uint8Array;
  update(room: string, update: Uint8Array): Uint8Array;
  pong(room: string): Uint8Array;
  kind(message: Uint8Array): Kind;
  /** Whether the server confirms each update with a SyncStatus. */
  acknowledges: boolean;
}

const hocuspocus: Protocol = {
  acknowledges: true,
  path: () => "/",
  opening: (room, token = "bench") =>
    frame(room, MessageType.Auth, (encoder) => {
      encoding.writeVarUint(encoder, AuthType.Token);
      encoding.writeVarString(encoder, token);
      encoding.writeVarString(encoder, PROVIDER_VERSION);
    }),
  syncStep1: (room) => frame(room, MessageType.Sync, writeSyncStep1),
  update: (room, update) =>
    frame(room, MessageType.Sync, (encoder) => {
      sync.writeUpdate(encoder, update);
    }),
  pong: (room) => frame(room, MessageType.Pong, () => {}),
  kind(message) {
    // Names of the bench are shorter than 128 bytes, so their length is one byte.
    const at = 1 + (message[0] ?? 0);
    switch (message[at] ?? -1) {
      case MessageType.Sync:
      case MessageType.SyncReply:
        return syncKind(message[at + 1]);
      case MessageType.SyncStatus:
        return message[at + 1] === 1 ? "saved" : "unsaved";
      case MessageType.Auth:
        return message[at + 1] === AuthType.Authenticated ? "authenticated" : "refused";
      case MessageType.Close:
        return "refused";
      case MessageType.Ping:
        return "ping";
      default:
        return "other";
    }
  },
};

const yWebsocket: Protocol = {
  acknowledges: false,
  path: (room) => `/${room}`,
  opening: () => frame(null, MessageType.Sync, writeSyncStep1),
  syncStep1: () => frame(null, MessageType.Sync, writeSyncStep1),
  update: (_room, update) =>
    frame(null, MessageType.Sync, (encoder) => {
      sync.writeUpdate(encoder, update);
    }),
  pong: () => new Uint8Array(),
  kind: (message) => (message[0] === MessageType.Sync ? syncKind(message[1]) : "other"),
};

export const protocols: Record<ProtocolName, Protocol> = { hocuspocus, "y-websocket": yWebsocket };

function syncKind(type: number | undefined): Kind {
  if (type === sync.messageYjsUpdate) return "update";
  return type === sync.messageYjsSyncStep2 ? "synced" : "other";
}

function writeSyncStep1(encoder: encoding.Encoder): void {
  encoding.writeVarUint(encoder, sync.messageYjsSyncStep1);
  encoding.writeVarUint8Array(encoder, EMPTY_STATE_VECTOR);
}

function frame(
  room: string | null,
  type: number,
  writeRest: (encoder: encoding.Encoder) => void,
): Uint8Array {
  const encoder = encoding.createEncoder();
  if (room !== null) encoding.writeVarString(encoder, room);
  encoding.writeVarUint(encoder, type);
  writeRest(encoder);
  return encoding.toUint8Array(encoder);
}
