/**
 * Leaves it to `presence/` to show a newcomer who is there. Hocuspocus does it before the newcomer has said which client id is its own, and
 * with clocks that a returning client has seen before.
 *
 * Hooks      afterLoadDocument
 * Promises   P5 who comes back sees everybody at once, and is not sent its own state
 * On failure Hocuspocus' greeting is sent as well, which repeats what others show
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";

export function presence(): Extension<Identity> {
  return {
    extensionName: "presence",
    async afterLoadDocument({ document }) {
      // Asked by Hocuspocus (4.7) in one place: as the condition of its greeting. Others ask `document.awareness`.
      document.hasAwarenessStates = () => false;
    },
  };
}
