/**
 * One line for each step of a room's life, in the words of the server that this one replaces.
 *
 * Hooks      afterLoadDocument, connected, onDisconnect, afterUnloadDocument
 * Promises   L1 🏠, 👥, 👋 and 🧹 appear once each, in this order, with `event`, `room`, `user`, `connections`
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";

export function lifecycleLog({ log }: { readonly log: Log }): Extension<Identity> {
  return {
    extensionName: "lifecycle-log",

    async afterLoadDocument({ documentName: room }) {
      log.info({ event: "room-created", room }, `🏠 Created room ${room}`);
    },

    async connected({ documentName: room, context, connection }) {
      const connections = connection.document.getConnectionsCount();
      log.info(
        { event: "user-joined", room, user: context.user.id, connections },
        `👥 User joined room ${room}`,
      );
    },

    async onDisconnect({ documentName: room, context, clientsCount: connections }) {
      // A direct connection of the server itself has no user.
      const user = context.user?.id;
      log.info({ event: "connection-left", room, user, connections }, `👋 Connection left room ${room}`);
    },

    async afterUnloadDocument({ documentName: room }) {
      log.info({ event: "room-unloaded", room }, `🧹 Shutting down empty room ${room}`);
    },
  };
}
