/**
 * What the backend can order at any time, over the room API. Each reaches those inside at once, and those who are on their way in through
 * `Revocations`. With none of them inside there is nothing to do, and that is no error: the backend need not know who is where.
 */
import { closeReasons } from "../lib/close-reasons.ts";
import type { Recheck } from "./recheck.ts";
import type { Order, Revocations } from "./revocations.ts";
import type { Rights } from "./rights.ts";

export interface BackendOrdersOptions {
  readonly rights: Rights;
  readonly revocations: Revocations;
  readonly recheck: Recheck;
  /** Hands an order of the backend on to the other instances. */
  readonly announce?: ((order: Order) => void) | undefined;
}

export interface RecheckResult {
  readonly connections: number;
  readonly putOut: number;
  readonly unanswered: number;
}

export class BackendOrders {
  readonly #options: BackendOrdersOptions;

  constructor(options: BackendOrdersOptions) {
    this.#options = options;
  }

  /** What the backend has ordered another instance. The answer, with its counts, is that one's. */
  obey(order: Order): void {
    if (order.kind === "revoke") this.#revoke(order);
    else if (order.kind === "kick") this.#kick(order.room, order.user);
    else void this.#recheck(order.user);
  }

  /**
   * Puts a user out of all rooms. Returns how many connections that were here.
   * @param before when that was, by the backend's clock, unix seconds. Without it, about now.
   */
  revoke(user: string, before?: number): number {
    const order = { kind: "revoke", user, ...(before !== undefined && { before }) } as const;
    this.#options.announce?.(order);
    return this.#revoke(order);
  }

  #revoke(order: Order & { readonly kind: "revoke" }): number {
    const { rights, revocations } = this.#options;
    const { user } = order;
    revocations.record(order);
    return sum(rights.matching({ user }).map((right) => rights.end(right, closeReasons.accessRevoked)));
  }

  /** Puts everybody, or one user, out of a room. Returns how many connections that were here. */
  kick(room: string, user?: string): number {
    this.#options.announce?.({ kind: "kick", room, ...(user !== undefined && { user }) });
    return this.#kick(room, user);
  }

  #kick(room: string, user?: string): number {
    const { rights, revocations } = this.#options;
    const who = { room, ...(user !== undefined && { user }) };
    revocations.record({ kind: "kick", ...who });
    return sum(rights.matching(who).map((right) => rights.end(right, closeReasons.kicked)));
  }

  /**
   * Asks the backend about a user's rooms now, and resolves when it has answered. Counts connections: those asked about, those put out for
   * it, and those about which there was no answer.
   */
  async recheck(user: string): Promise<RecheckResult> {
    this.#options.announce?.({ kind: "recheck", user });
    return this.#recheck(user);
  }

  async #recheck(user: string): Promise<RecheckResult> {
    const { rights, revocations, recheck } = this.#options;
    // An answer that is under way may be from before whatever the backend has changed.
    revocations.record({ kind: "recheck", user });
    const asked = await Promise.all(
      rights.matching({ user }).map(async (right) => {
        const connections = right.members.length;
        return { connections, outcome: await recheck.ask(right) };
      }),
    );
    const count = (outcome?: string): number =>
      sum(asked.filter((one) => !outcome || one.outcome === outcome).map(({ connections }) => connections));
    return { connections: count(), putOut: count("out"), unanswered: count("unanswered") };
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
