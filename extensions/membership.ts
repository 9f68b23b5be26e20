/**
 * Tells the client socket what only Hocuspocus knows: which rooms the client is in.
 *
 * Hooks      connected
 * Promises   S14 the Sync messages of everybody in a room are handled by `sync/`
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";
import { ClientSocket } from "../transport/client-socket.ts";

export function membership(): Extension<Identity> {
  return {
    extensionName: "membership",
    // First: what the client has sent since its login waits for this, and must not wait for a team's hook.
    priority: 10_000,
    async connected({ connection }) {
      if (connection.webSocket instanceof ClientSocket) connection.webSocket.entered(connection);
    },
  };
}
