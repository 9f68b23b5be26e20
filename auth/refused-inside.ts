import { closeReasonNamed, closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { Refusal } from "../lib/refusal.ts";

/** What somebody is told who was let in once and is refused now. "No right to this room" reads better as "taken back". */
export function reasonInside({ reason }: Refusal): CloseReason {
  return reason === closeReasons.roomForbidden.reason ? closeReasons.accessRevoked : closeReasonNamed(reason);
}
