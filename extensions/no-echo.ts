/**
 * Spares the author of an update its own update: Hocuspocus broadcasts to everybody in the room, which in a room of ten is every tenth
 * frame, and the client only finds that it has it already.
 *
 * Hooks      onChange
 * Promises   T13 an update is not sent back to the connection it came from
 * On failure the echo is sent, which is harmless: an update may arrive twice
 *
 * Hocuspocus runs the first `onChange` hook in the turn of the broadcast, before it. Should that change, the socket finds no update that
 * is equal byte for byte to what it expects, and drops nothing.
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";
import { ClientSocket } from "../transport/client-socket.ts";

export function noEcho(): Extension<Identity> {
  return {
    extensionName: "no-echo",
    // First, because only the first extension's hook runs before the broadcast.
    priority: 10_000,
    async onChange({ connection, update }) {
      if (connection?.webSocket instanceof ClientSocket) {
        connection.webSocket.expectEcho(connection.messageAddress, update);
      }
    },
  };
}
