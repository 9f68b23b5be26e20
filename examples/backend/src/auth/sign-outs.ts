/**
 * "Sign out everywhere": tokens issued before are no good any more. Each token carries the number of sign-outs that its user had had; a count
 * and not a time, so that clocks and seconds play no part. In memory for the demo; a column of the user table in a real application.
 */
import { Injectable } from "@nestjs/common";

@Injectable()
export class SignOuts {
  readonly #counts = new Map<string, number>();

  countOf(userId: string): number {
    return this.#counts.get(userId) ?? 0;
  }

  signOut(userId: string): void {
    this.#counts.set(userId, this.countOf(userId) + 1);
  }
}
