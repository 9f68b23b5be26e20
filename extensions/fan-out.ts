/**
 * Shares rooms with the other instances through Redis.
 *
 * Hooks      afterLoadDocument, beforeBroadcastStateless, beforeUnloadDocument, onDestroy
 * Promises   I1 an edit reaches everybody in the room, at whatever instance, and its author not again
 *            I2 so does presence
 *            I3 who comes in finds what is newest anywhere
 * On failure the room is open here by itself, and made equal with the others' when Redis is back
 */
import type { Extension } from "@hocuspocus/server";
import type { FanOut } from "../fanout/fan-out.ts";
import type { Identity } from "../lib/identity.ts";

export function fanOutExtension(fanOut: FanOut): Extension<Identity> {
  return {
    extensionName: "fan-out",
    // Behind persistence, whose listener comes first at each update; before a team's extensions, whose edits of a loaded room are shared.
    priority: 4000,

    async afterLoadDocument({ document }) {
      await fanOut.open(document);
    },

    async beforeBroadcastStateless({ documentName, payload }) {
      fanOut.announce(documentName, payload);
    },

    // Journaled, it keeps the room in memory until it is saved (`persistence`): whoever opens the room elsewhere in this moment asks for it.
    async beforeUnloadDocument({ documentName }) {
      fanOut.kept.takeOver({ room: documentName });
    },

    async onDestroy() {
      await fanOut.stop();
    },
  };
}
