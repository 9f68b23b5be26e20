/**
 * Admits to a room or refuses, and gives every later hook the identity as its `context`.
 *
 * Hooks      onAuthenticate
 * Promises   A2 nobody enters a room without the right to it
 *            A3 a refusal is final, the backend's trouble asks to come back
 *            A4 read access makes the connection read-only
 * On failure the client is told to come back (guard)
 */
import type { Extension } from "@hocuspocus/server";
import type { Admission } from "../auth/admission.ts";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { ConnectionRequest } from "../transport/connection-request.ts";

export interface AuthenticationOptions {
  readonly admit: Admission;
  readonly log: Log;
}

/**
 * A longer token is no token: HTTP servers refuse such headers too. Without a limit it would reach the webhook, whose body parser
 * answers 413, and that would look like the backend's trouble.
 */
const MAX_TOKEN_LENGTH = 16_384;

export function authentication({ admit, log }: AuthenticationOptions): Extension<Identity> {
  return {
    extensionName: "authentication",

    /** What it returns becomes the connection's context (Hocuspocus merges it into an empty one). */
    async onAuthenticate({ token, documentName, request, socketId, connectionConfig }): Promise<Identity> {
      if (token.length > MAX_TOKEN_LENGTH)
        throw new Refusal(closeReasons.tokenInvalid, "The token is too long");
      const { ip, headers } = request as unknown as ConnectionRequest;
      const origin = headers.get("origin");
      const userAgent = headers.get("user-agent");
      const identity = await admit({ token, room: documentName, ip, origin, userAgent, socketId });
      connectionConfig.readOnly = identity.access === "read";
      log.debug(
        { event: "admitted", room: documentName, user: identity.user.id, access: identity.access },
        `🔐 Admitted ${identity.user.id} to ${documentName}`,
      );
      return identity;
    },
  };
}
