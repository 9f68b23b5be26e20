/** Thrown by a page's token function when its session is over, so that only a new login helps. Any other error is trouble that passes. */
export class SignedOut extends Error {
  override readonly name = "SignedOut";
}
