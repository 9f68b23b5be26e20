/**
 * Tells the client socket which providers answer the application-level Ping, so that the heartbeat can keep them in a quiet room:
 * a provider closes by itself after 30 s without a message.
 *
 * Hooks      connected
 * Promises   T6 a client without awareness stays in a quiet room
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";
import { ClientSocket } from "../transport/client-socket.ts";

/** The first provider version that knows message type 9. */
const FIRST_VERSION_WITH_PING = 4;

export function keepAlive(): Extension<Identity> {
  return {
    extensionName: "keep-alive",
    async connected({ connection, providerVersion }) {
      const major = Number.parseInt(providerVersion ?? "", 10);
      if (major >= FIRST_VERSION_WITH_PING && connection.webSocket instanceof ClientSocket) {
        connection.webSocket.understandsPing = true;
      }
    },
  };
}
