/**
 * Lets only well-formed room names in, before anything is asked of the backend or the store.
 *
 * Hooks      onConnect
 * Promises   A7 a name that does not match ROOM_NAME_PATTERN is refused for good
 */
import type { Extension } from "@hocuspocus/server";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";

export function roomNames({ pattern }: { readonly pattern: RegExp }): Extension<Identity> {
  return {
    extensionName: "room-names",
    async onConnect({ documentName }) {
      if (!pattern.test(documentName)) throw new Refusal(closeReasons.roomNameInvalid);
    },
  };
}
