/**
 * What all sockets of one user may use up together. Each socket has its own budget (`Sender`); but who may open one may open hundreds, and each of
 * them may take a fifth of the event loop. By user, wherever the sockets come from: one person has thousands of addresses where IPv6 is.
 */
import { HANDLING_MS, ofUser, PRESENCE_BYTES } from "./allowances.ts";
import { makeRoom } from "./make-room.ts";
import { TokenBucket } from "./token-bucket.ts";

const TOGETHER = { handlingMs: ofUser(HANDLING_MS), presenceBytes: ofUser(PRESENCE_BYTES) };

/** 200 kB. What an honest user has used up has come back some milliseconds later. */
const MAX_USERS = 1000;

export class UserBudget {
  readonly handlingMs = new TokenBucket(TOGETHER.handlingMs);
  readonly presenceBytes = new TokenBucket(TOGETHER.presenceBytes);

  isFull(now: number): boolean {
    return this.handlingMs.isFull(now) && this.presenceBytes.isFull(now);
  }
}

export class UserBudgets {
  readonly #max: number;
  readonly #budgets = new Map<string, UserBudget>();

  constructor(max: number = MAX_USERS) {
    this.#max = max;
  }

  /** Of one who has used up something; who has not, has none. */
  known(user: string): UserBudget | undefined {
    return this.#budgets.get(user);
  }

  of(user: string, now: number): UserBudget {
    const known = this.#budgets.get(user);
    if (known) return known;
    makeRoom(this.#budgets, { max: this.#max, counts: (budget) => !budget.isFull(now) });
    const budget = new UserBudget();
    this.#budgets.set(user, budget);
    return budget;
  }
}
