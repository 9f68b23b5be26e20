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
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import type { ConnectionRequest } from "../transport/connection-request.ts";

export interface AuthenticationOptions {
  readonly admit: Admission;
  readonly log: Log;
}

export function authentication({ admit, log }: AuthenticationOptions): Extension<Identity> {
  return {
    extensionName: "authentication",

    /** What it returns becomes the connection's context (Hocuspocus merges it into an empty one). */
    async onAuthenticate({ token, documentName, request, socketId, connectionConfig }): Promise<Identity> {
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
