/** How closely rights are followed. Other values in tests, where a quarter of an hour matters. */
export interface RightsTiming {
  /** How long before a right ends a fresh token is asked for, ms. */
  readonly leadMs: number;
  /** How long nobody is put out over a backend that does not answer, ms. */
  readonly graceMs: number;
  /** How often rights are looked at, ms: a right ends up to so much late. */
  readonly sweepMs: number;
}

export const rightsTiming: RightsTiming = {
  // A page in the background, on a phone that has just woken up, has its answer from the backend in that time.
  leadMs: 60_000,
  // A deploy, a failover of its database, somebody who has to get up: longer than those, and not so long that whoever lost their right
  // meanwhile works on for half a day. In intervals of the re-check it would be no answer for those who ask seldom.
  graceMs: 15 * 60_000,
  sweepMs: 1000,
};
