/**
 * Leaves it to `presence/` to show a newcomer who is there, and keeps those seen who stay. Hocuspocus greets before the newcomer has said which
 * client id is its own, and with clocks that a returning client has seen before.
 *
 * Hooks      afterLoadDocument, onDestroy
 * Promises   P4 who leaves is gone at once, also with a thousand others
 *            P5 who comes back sees everybody at once, and is not sent its own state
 *            P10 who is connected is seen, also where their page sleeps
 * On failure Hocuspocus' greeting is sent as well, which repeats what others show
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";
import { gatherLeaves } from "../presence/leaves.ts";
import { Renewal, type RenewalOptions } from "../presence/renewal.ts";
import type { RenewalTiming } from "../presence/renewal-timing.ts";

export type PresenceOptions = RenewalTiming & RenewalOptions;

export function presence({ sweepMs, ...options }: PresenceOptions): Extension<Identity> {
  const renewal = new Renewal(options);
  const sweeping = setInterval(() => renewal.sweep(), sweepMs).unref();

  return {
    extensionName: "presence",
    async afterLoadDocument({ document }) {
      // Asked by Hocuspocus (4.7) in one place: as the condition of its greeting. Others ask `document.awareness`.
      document.hasAwarenessStates = () => false;
      gatherLeaves(document);
    },

    async onDestroy() {
      clearInterval(sweeping);
    },
  };
}
