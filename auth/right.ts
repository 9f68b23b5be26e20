import type { Identity } from "../lib/identity.ts";
import type { Member } from "../members/member.ts";
import type { Attempt } from "./admission.ts";

/**
 * What was last said about one user with one token in one room, and those who are there because of it: tabs with the same token share one
 * right, and one question to the backend.
 *
 * This is where the token is kept, because it is asked about again: in memory only, as long as there are `members`. It is nowhere else but on
 * its way here, from the login (`extensions/authentication.ts`) or from inside (`FreshTokens`), and never logged; nothing logs an attempt
 * or a right as a whole.
 */
export interface Right {
  /** As whoever came first with this token came; the backend is asked again in the same words. */
  readonly attempt: Attempt;
  identity: Identity;
  /** When `identity` was said, ms of the wall clock, which is what `expiresAt` is compared with. */
  confirmedAt: number;
  /** Usually one. Never empty while it is in force; replaced, not changed, so that whoever goes through them may put them out. */
  members: readonly Member[];
  /** Random, 0 to 1: spreads over time what would otherwise be done for everybody in one second. */
  readonly phase: number;
}

/** Somebody who has been admitted. */
export interface Admitted {
  readonly attempt: Attempt;
  readonly identity: Identity;
  /** When that was, ms of the wall clock. */
  readonly confirmedAt: number;
}
