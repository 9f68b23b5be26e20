/**
 * One socket's share in the budgets of its users. It reports what it has used up in portions: a budget for each of ten thousand quiet users
 * would take megabytes, and a look for it at each message time.
 */
import type { UserBudget, UserBudgets } from "./user-budgets.ts";

/** Somebody who types uses it up in some ten seconds. */
const PORTION_MS = 20;
const PORTION_BYTES = 16 * 1024;

const none: readonly never[] = [];

export class UserShare {
  readonly #allBudgets: UserBudgets;
  /** Who was let in on this socket; one, mostly. Arrays that are not pushed to: of ten thousand sockets they would take a megabyte. */
  users: readonly string[] = none;
  /** As of the last report. */
  #budgets: readonly UserBudget[] = none;
  #handlingMs = 0;
  #presenceBytes = 0;

  constructor(budgets: UserBudgets) {
    this.#allBudgets = budgets;
  }

  entered(user: string): void {
    this.users = this.users.concat(user);
    const known = this.#allBudgets.known(user);
    if (known) this.#budgets = this.#budgets.concat(known);
  }

  isTooCostly(now: number): boolean {
    return this.#budgets.some(({ handlingMs }) => handlingMs.level(now) < 0);
  }

  mayShow(now: number): boolean {
    return this.#budgets.every(({ presenceBytes }) => presenceBytes.level(now) >= 0);
  }

  handlingTook(ms: number, now: number): void {
    this.#handlingMs += ms;
    if (this.#handlingMs >= PORTION_MS) this.report(now);
  }

  shows(bytes: number, now: number): void {
    this.#presenceBytes += bytes;
    if (this.#presenceBytes >= PORTION_BYTES) this.report(now);
  }

  /** Also when the socket closes, or what is less than a portion would be free for who comes again and again. */
  report(now: number): void {
    this.#budgets = this.users.map((user) => this.#allBudgets.of(user, now));
    for (const { handlingMs, presenceBytes } of this.#budgets) {
      handlingMs.spend(this.#handlingMs, now);
      presenceBytes.spend(this.#presenceBytes, now);
    }
    this.#handlingMs = 0;
    this.#presenceBytes = 0;
  }
}
