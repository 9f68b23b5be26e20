/**
 * Tells the client socket what only Hocuspocus knows: which rooms the client is in, and which application-level Ping its provider answers.
 *
 * Hooks      connected
 * Promises   T6 a client without awareness stays in a quiet room: a provider closes by itself after 30 s without a message
 *            S14 the Sync messages of everybody in a room are handled by `sync/`
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";
import { ClientSocket } from "../transport/client-socket.ts";

/** The first provider version that knows message type 9. */
const FIRST_VERSION_WITH_PING = 4;

export function membership(): Extension<Identity> {
  return {
    extensionName: "membership",
    // First: what the client has sent since its login waits for this, and must not wait for a team's hook.
    priority: 10_000,
    async connected({ connection, providerVersion }) {
      if (!(connection.webSocket instanceof ClientSocket)) return;
      const major = Number.parseInt(providerVersion ?? "", 10);
      if (major >= FIRST_VERSION_WITH_PING) connection.webSocket.understandsPing = true;
      connection.webSocket.entered(connection);
    },
  };
}
