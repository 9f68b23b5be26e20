/**
 * Refuses new joins once the server that stops sends its clients away: an open socket could otherwise open rooms faster than shutdown closes them (in stock
 * 4.7 that kept the process alive for ever).
 *
 * Hooks      onConnect
 * Promises   D3 nobody joins a server that sends its clients away
 */
import type { Extension } from "@hocuspocus/server";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";

export function refuseWhileStopping({
  isStopping,
}: {
  readonly isStopping: () => boolean;
}): Extension<Identity> {
  return {
    extensionName: "refuse-while-stopping",
    async onConnect() {
      if (isStopping()) throw new Refusal(closeReasons.restarting);
    },
  };
}
