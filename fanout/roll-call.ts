/**
 * Whose people in a room may have left unheard. All who have the room are asked, and who does not answer is asked by name, more and more rarely:
 * where nobody is left nobody answers, and where the room is closed the question was not heard.
 */

/** An answer takes milliseconds, in a comparison of ten thousand rooms a second. */
const FIRST_WAIT_MS = 500;

export class RollCall {
  readonly #awaited = new Set<string>();
  #waitMs = FIRST_WAIT_MS;
  /** When those who are silent are asked again, ms as `now`. */
  #dueAt = 0;

  /** All are asked now. */
  begin(instances: Iterable<string>, now: number): void {
    this.#awaited.clear();
    for (const instance of instances) this.#awaited.add(instance);
    this.#waitMs = FIRST_WAIT_MS;
    this.#dueAt = now + FIRST_WAIT_MS;
  }

  /** Or there is nobody left to be asked about. */
  answered(instance: string): void {
    this.#awaited.delete(instance);
  }

  /** Those who are to be asked by name now. */
  silent(now: number): readonly string[] {
    if (this.#awaited.size === 0 || now < this.#dueAt) return [];
    this.#waitMs *= 2;
    this.#dueAt = now + this.#waitMs;
    return [...this.#awaited];
  }
}
