/**
 * Asks the backend again and again whether those inside may stay.
 *
 * No right to the room any more is a final word. "I do not know this token" is one about the token: it may only have run out, so the socket is
 * closed and the client logs in anew, with a fresh token if it has a source of them. No answer keeps everybody where they are for
 * a while: it says nothing about them.
 */
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Admission } from "./admission.ts";
import type { Outage } from "./outage.ts";
import { reasonInside } from "./refused-inside.ts";
import type { Right } from "./right.ts";
import type { Rights } from "./rights.ts";
import { Turns } from "./turns.ts";

export interface RecheckOptions {
  readonly rights: Rights;
  readonly admit: Admission;
  readonly outage: Outage;
  readonly log: Log;
  /** 0 asks only when ordered to. */
  readonly intervalMs: number;
  /** How long nobody is put out over a backend that does not answer, ms. */
  readonly graceMs: number;
}

/** Of the 64 questions that may be under way at once; the others are for those who want to come in. */
const MAX_QUESTIONS = 16;

/** Connections put out by one sweep when nobody knows any more who may stay: all at once would keep the others' edits waiting. */
const MAX_PUT_OUT = 500;

/** So many different users without an answer, and nobody with one, are an outage and not the trouble of somebody's token. */
const ENOUGH_USERS = 16;

/** Not answered: asked again after this, or the interval if that is shorter, ms. */
const RETRY_MS = 30_000;

export type Outcome = "confirmed" | "out" | "unanswered";

/** When a right is asked about next, and since when that has failed; of the process' clock, which no one sets, ms. */
interface Plan {
  dueAt: number;
  failingSince: number | null;
  isAsking: boolean;
}

export class Recheck {
  readonly #options: RecheckOptions;
  /** What was ordered and what is due take turns: an order is not to wait behind ten thousand that are due. */
  readonly #turns = new Turns({ atOnce: MAX_QUESTIONS });
  readonly #plans = new WeakMap<Right, Plan>();
  /** Users inside about whom there was no answer in the present outage, up to `ENOUGH_USERS`. */
  readonly #unanswered = new Set<string>();
  #unansweredSince: number | null = null;

  constructor(options: RecheckOptions) {
    this.#options = options;
  }

  /** To be called about once a second. */
  sweep(now = performance.now()): void {
    const { rights, intervalMs } = this.#options;
    if (intervalMs === 0) return;
    const isHopeless = this.#isHopeless(now);
    let putOut = 0;
    for (const right of rights) {
      if (putOut >= MAX_PUT_OUT) break;
      const plan = this.#planOf(right, now);
      if (now < plan.dueAt) continue;
      // With thousands to ask about and three seconds for each no-answer, most would not even be asked within the grace.
      if (isHopeless) putOut += rights.end(right, closeReasons.authUnavailable);
      else if (!plan.isAsking) {
        plan.isAsking = true;
        void this.#turns.take({ lane: "due" }, () => this.#ask(right)).finally(() => (plan.isAsking = false));
      }
    }
  }

  /** Asks as soon as there is a place among the questions. Never rejects. */
  ask(right: Right): Promise<Outcome> {
    return this.#turns.take({ lane: "ordered" }, () => this.#ask(right));
  }

  /**
   * Whether the backend has answered nobody for longer than the grace, as far as can be told: there were questions about enough of those inside, or
   * about all. A stranger's question that fails says nothing about them.
   */
  #isHopeless(now: number): boolean {
    const { rights, outage, graceMs } = this.#options;
    if (outage.since === null || now - outage.since < graceMs) return false;
    if (this.#unansweredSince !== outage.since) return false;
    if (this.#unanswered.size >= ENOUGH_USERS) return true;
    for (const { identity } of rights) if (!this.#unanswered.has(identity.user.id)) return false;
    return true;
  }

  #noteUnanswered(user: string): void {
    const { since } = this.#options.outage;
    if (since !== this.#unansweredSince) this.#unanswered.clear();
    this.#unansweredSince = since;
    if (since !== null && this.#unanswered.size < ENOUGH_USERS) this.#unanswered.add(user);
  }

  async #ask(right: Right): Promise<Outcome> {
    const { rights, admit, log, intervalMs, graceMs } = this.#options;
    // Everybody has left while it waited for its turn.
    if (right.members.length === 0) return "confirmed";
    const fields = { room: right.attempt.room, user: right.identity.user.id };
    const plan = this.#planOf(right, performance.now());
    try {
      const identity = await admit(right.attempt, { user: fields.user });
      this.#answered(plan);
      if (identity.user.id === fields.user) {
        rights.confirm(right, identity);
        return "confirmed";
      }
      log.warn(
        { event: "foreign-token", ...fields, tokenOf: identity.user.id },
        "🚫 A token changed its user",
      );
      rights.end(right, closeReasons.tokenInvalid);
      return "out";
    } catch (error) {
      if (error instanceof Refusal && !error.retry) {
        this.#answered(plan);
        const reason = reasonInside(error);
        rights.end(right, reason === closeReasons.accessRevoked ? reason : closeReasons.sessionExpired);
        return "out";
      }
      const now = performance.now();
      log.debug({ event: "recheck-failed", ...fields, err: error }, "A right could not be checked");
      this.#noteUnanswered(fields.user);
      plan.failingSince ??= now;
      plan.dueAt = now + Math.min(RETRY_MS, intervalMs) * (0.5 + Math.random() / 2);
      // Without an interval the last failure may have been a day ago, and nobody asked in between.
      if (intervalMs === 0 || now - plan.failingSince < graceMs) return "unanswered";
      rights.end(right, closeReasons.authUnavailable);
      return "out";
    }
  }

  /** The first time anywhere within the interval, so that those who all came back after a restart do not stay in step. */
  #planOf(right: Right, now: number): Plan {
    let plan = this.#plans.get(right);
    if (!plan) {
      plan = { dueAt: now + this.#options.intervalMs * right.phase, failingSince: null, isAsking: false };
      this.#plans.set(right, plan);
    }
    return plan;
  }

  #answered(plan: Plan): void {
    plan.failingSince = null;
    plan.dueAt = performance.now() + this.#options.intervalMs * (0.9 + Math.random() / 10);
  }
}
