/** What one socket, and all sockets of one user together, may take from everybody else. */
import type { Allowance } from "./token-bucket.ts";

/**
 * Event loop time. A fifth of it over ten seconds is the most that one client may take from all others. The largest honest message, a whole
 * list of 20,000 tasks that comes back from offline, takes half a second; typing takes less than a thousandth of the time.
 */
export const HANDLING_MS: Allowance = { burst: 2000, perSecond: 200 };

/**
 * Bytes of presence, each of which goes to everybody in the room: beyond what a slow line reads, they would be cut off for it. Cursors at 60 Hz
 * in five rooms are 90 kB a second.
 */
export const PRESENCE_BYTES: Allowance = { burst: 640 * 1024, perSecond: 128 * 1024 };

/** What four sockets may use up at once, and two all the time. The pages that a person has open beside the one in front do next to nothing. */
export const ofUser = ({ burst, perSecond }: Allowance): Allowance => ({
  burst: 4 * burst,
  perSecond: 2 * perSecond,
});
