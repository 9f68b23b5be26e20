import type { CloseReason } from "./close-reasons.ts";

/**
 * Thrown by a hook to turn a client away. `code` and `reason` are the fields that Hocuspocus 4.7 reads from a rejected hook;
 * the client socket makes a final PermissionDenied or a close that asks to come back out of them.
 *
 * `message` and `cause` are for our log only and never reach the client.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: number;
  readonly reason: string;
  readonly retry: boolean;

  constructor(closeReason: CloseReason, message: string = closeReason.meaning, options?: ErrorOptions) {
    super(message, options);
    this.code = closeReason.code;
    this.reason = closeReason.reason;
    this.retry = closeReason.retry;
  }
}
