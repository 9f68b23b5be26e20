/**
 * Every way in which this server turns a client away, and what each says about coming back.
 *
 * One registry, so that the code, the log and `docs/SPEC.md` (compared by a test) cannot drift apart. Codes below 4500 keep the
 * meaning that RFC 6455 and Hocuspocus give them; 4500 to 4599 are ours and always ask the client to come back.
 *
 * `retry: false` reaches a stock provider as a PermissionDenied message, which ends its attempts for that room: a close code
 * alone would not, it comes back one second after every close whatever the code (read in @hocuspocus/provider 4.8).
 */

export interface CloseReason {
  /** WebSocket close code. */
  readonly code: number;
  /** What the client is told; stable, a frontend may compare it. */
  readonly reason: string;
  /** Whether the same client, unchanged, may be let in later. */
  readonly retry: boolean;
  /** For the operator: when this happens. */
  readonly meaning: string;
}

export const closeReasons = {
  binaryFramesOnly: {
    code: 1003,
    reason: "binary-frames-only",
    retry: false,
    meaning: "The client sent a text frame; the Yjs protocol is binary.",
  },
  tooManyPieces: {
    code: 1008,
    reason: "too-many-pieces",
    retry: false,
    meaning: "A message came in thousands of packets of some bytes each, or in as many fragments.",
  },
  messageTooBig: {
    code: 1009,
    reason: "message-too-big",
    retry: false,
    meaning: "A message was larger than MAX_MESSAGE_BYTES.",
  },
  restarting: {
    code: 1012,
    reason: "server-restarting",
    retry: true,
    meaning: "The server is stopping; another one, or the same after its restart, takes over.",
  },
  serverBusy: {
    code: 1013,
    reason: "server-busy",
    retry: true,
    meaning: "Too much waits of clients that have not logged in yet, of all together or of one address.",
  },
  resetConnection: {
    code: 4205,
    reason: "Reset Connection",
    retry: true,
    meaning: "A message could not be understood, or its handling failed.",
  },
  tokenInvalid: {
    code: 4401,
    reason: "token-invalid",
    retry: false,
    meaning:
      "The token is missing, malformed, wrongly signed, not yet valid, or the backend does not know it.",
  },
  tokenExpired: {
    code: 4401,
    reason: "token-expired",
    retry: false,
    meaning: "The token was good and has run out; a new login helps.",
  },
  roomForbidden: {
    code: 4403,
    reason: "room-forbidden",
    retry: false,
    meaning: "The user is known and has no right to this room.",
  },
  roomNameInvalid: {
    code: 4403,
    reason: "room-name-invalid",
    retry: false,
    meaning: "The room name does not match ROOM_NAME_PATTERN.",
  },
  accessRevoked: {
    code: 4403,
    reason: "access-revoked",
    retry: false,
    meaning: "The backend took the user's access back, or refused it when it was asked again.",
  },
  kicked: {
    code: 4403,
    reason: "kicked",
    retry: false,
    meaning: "The backend put the user, or everybody, out of this room.",
  },
  connectionTimeout: {
    code: 4408,
    reason: "Connection Timeout",
    retry: true,
    meaning: "Nobody logged in on this socket in time, or it went silent.",
  },
  documentTooBig: {
    code: 4413,
    reason: "document-too-big",
    retry: false,
    meaning: "With this edit the room would be larger than MAX_DOCUMENT_BYTES.",
  },
  awarenessTooBig: {
    code: 4413,
    reason: "awareness-too-big",
    retry: false,
    meaning:
      "A presence state was larger than MAX_AWARENESS_BYTES or nested too deeply, or one client had too many.",
  },
  roomFull: {
    code: 4423,
    reason: "room-full",
    retry: false,
    meaning: "MAX_CONNECTIONS_PER_ROOM are in the room. Worth another try when the user asks for it.",
  },
  tooManyTabs: {
    code: 4425,
    reason: "too-many-tabs",
    retry: false,
    meaning: "The user has 32 connections to this room. Worth another try once some are closed.",
  },
  tooManyRooms: {
    code: 4424,
    reason: "too-many-rooms",
    retry: false,
    meaning: "MAX_ROOMS_PER_CONNECTION are open on this socket.",
  },
  tooMuchOpen: {
    code: 4426,
    reason: "too-much-open",
    retry: false,
    meaning:
      "With this edit the rooms that the user has opened and written would take half of MAX_ROOMS_BYTES. Worth another try once some are closed.",
  },
  rateLimited: {
    code: 4429,
    reason: "rate-limited",
    retry: true,
    meaning: "The client sent more than MAX_MESSAGES_PER_SECOND, or asked for whole rooms again and again.",
  },
  tooCostly: {
    code: 4428,
    reason: "too-costly",
    retry: false,
    meaning: "Handling what this client sent kept everybody waiting longer than its budget.",
  },
  updateRejected: {
    code: 4422,
    reason: "update-rejected",
    retry: false,
    meaning:
      "The client's document cannot be taken in: shared types nested deeper than 500 levels, or an edit that broke the room.",
  },
  clientIdTaken: {
    code: 4409,
    reason: "client-id-taken",
    retry: false,
    meaning:
      "Under a Yjs client id of the client's document the room has something else, written by somebody else. What the page shows as unsaved cannot be saved: it has to begin with a new document, and an empty local store.",
  },
  internalError: {
    code: 4500,
    reason: "internal-error",
    retry: true,
    meaning: "A fault of this server, logged there; nothing is said about the client's rights.",
  },
  storageUnavailable: {
    code: 4501,
    reason: "storage-unavailable",
    retry: true,
    meaning:
      "The room could not be loaded, and is never shown empty instead; or more than MAX_UNSAVED_BYTES wait to be saved.",
  },
  authUnavailable: {
    code: 4502,
    reason: "auth-unavailable",
    retry: true,
    meaning: "The backend did not answer the auth webhook, or not in the agreed form.",
  },
  sessionExpired: {
    code: 4505,
    reason: "session-expired",
    retry: true,
    meaning: "The right to be here ran out and the client sent no fresh token in time; it logs in anew.",
  },
  slowConsumer: {
    code: 4503,
    reason: "slow-consumer",
    retry: true,
    meaning:
      "More than MAX_BUFFERED_BYTES waited for a client that does not read. Seen as 1006: it is cut off.",
  },
  memoryFull: {
    code: 4506,
    reason: "memory-full",
    retry: true,
    meaning:
      "Open rooms take up MAX_ROOMS_BYTES, and with this room or edit the user would have more than an equal part of what is left.",
  },
  roomReloaded: {
    code: 4504,
    reason: "room-reloaded",
    retry: true,
    meaning: "An edit broke the room's document in memory; it is loaded again from what is saved.",
  },
} as const satisfies Record<string, CloseReason>;

const byReason = new Map<string, CloseReason>(
  Object.values(closeReasons).map((closeReason) => [closeReason.reason, closeReason]),
);

/**
 * The registry's entry for a reason that Hocuspocus is about to tell a client.
 *
 * Every refusal of ours is in the registry, so a stranger comes from a fault on our side: it must not look like a refusal.
 */
export function closeReasonNamed(reason: string): CloseReason {
  return byReason.get(reason) ?? closeReasons.internalError;
}
