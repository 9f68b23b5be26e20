/** When the server says again what somebody shows. Other values in tests, where half a minute matters. */
export interface RenewalTiming {
  /** Age of a state from which it is renewed, ms. */
  readonly afterMs: number;
  /** How often states are looked at, ms. */
  readonly sweepMs: number;
}

export const renewalTiming: RenewalTiming = {
  // A page that is looked at renews its state after 15 to 18 s; everybody forgets it after 30.
  afterMs: 20_000,
  sweepMs: 1000,
};
