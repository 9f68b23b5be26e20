/**
 * What one client may send, and what handling it may cost. Every answer is yes or no, at once: a limit that waits keeps what it waits with.
 *
 * What a client has used up outlives its socket for as long as it takes to come back (`Debts`): a new socket costs an attacker some
 * milliseconds, and would be a full bucket each.
 */
import { HANDLING_MS, PRESENCE_BYTES } from "./allowances.ts";
import { Debts } from "./debts.ts";
import { TokenBucket, type Allowance } from "./token-bucket.ts";
import { UserBudgets } from "./user-budgets.ts";
import { UserShare } from "./user-share.ts";

/** A paste or a form filled by a script sends a second's worth many times over; ten seconds of it at once is no typing any more. */
const BURST_SECONDS = 10;

/**
 * First syncs in one room: 8 bytes that are answered with all of it. A provider asks once when it enters, and again where an edit was
 * missing; a React effect that runs twice, or a page reloaded in anger, stays far below.
 */
const QUESTIONS: Allowance = { burst: 20, perSecond: 1 };

/** Each room of the socket twice at once, for React effects that run twice, and some that are left and entered again. */
const LOGINS_PER_ROOM = 2;
const SPARE_LOGINS = 20;
const LOGINS_PER_SECOND = 5;

const none: readonly never[] = [];

export interface SenderLimits {
  readonly maxMessagesPerSecond: number;
  readonly maxRoomsPerConnection: number;
}

/** What all senders of one server have in common. */
export class SenderRules {
  readonly messages: Allowance;
  readonly logins: Allowance;
  /** Rooms of one socket whose questions are counted at once. */
  readonly maxQuestioned: number;
  readonly debts = new Debts();
  readonly userBudgets = new UserBudgets();

  constructor({ maxMessagesPerSecond: perSecond, maxRoomsPerConnection }: SenderLimits) {
    this.messages = { burst: perSecond * BURST_SECONDS, perSecond };
    const burst = LOGINS_PER_ROOM * maxRoomsPerConnection + SPARE_LOGINS;
    this.logins = { burst, perSecond: LOGINS_PER_SECOND };
    this.maxQuestioned = 2 * maxRoomsPerConnection;
  }
}

interface Questions {
  readonly room: string;
  readonly bucket: TokenBucket;
}

export class Sender {
  readonly #rules: SenderRules;
  readonly #address: string;
  readonly #messages: TokenBucket;
  readonly #logins: TokenBucket;
  readonly #handlingMs = new TokenBucket(HANDLING_MS);
  readonly #presenceBytes = new TokenBucket(PRESENCE_BYTES);
  /** It has one entry with most sockets. Of ten thousand sockets a Map, or an array that is pushed to, would take megabytes. */
  #questions: readonly Questions[] = none;
  readonly #share: UserShare;

  /** @param address as `addressGroup` gives it. */
  constructor(rules: SenderRules, address: string) {
    this.#rules = rules;
    this.#address = address;
    this.#messages = new TokenBucket(rules.messages);
    this.#logins = new TokenBucket(rules.logins);
    this.#share = new UserShare(rules.userBudgets);
  }

  /** A message, or a ping, which is answered too. */
  mayMessage(now: number): boolean {
    return this.#messages.take(now);
  }

  mayLogIn(now: number): boolean {
    return this.#logins.take(now);
  }

  /** A first sync. */
  mayAsk(room: string, now: number): boolean {
    return this.#questionsTo(room, now).take(now);
  }

  /** A presence state of so many bytes; the last one may owe. */
  mayShow(bytes: number, now: number): boolean {
    if (this.#presenceBytes.level(now) < 0 || !this.#share.mayShow(now)) return false;
    this.#presenceBytes.spend(bytes, now);
    this.#share.shows(bytes, now);
    return true;
  }

  /** Whether handling what it sent, or what all sockets of its user did, has cost more than it may. */
  isTooCostly(now: number): boolean {
    return this.#handlingMs.level(now) < 0 || this.#share.isTooCostly(now);
  }

  handlingTook(ms: number, now: number): void {
    this.#handlingMs.spend(ms, now);
    this.#share.handlingTook(ms, now);
  }

  /** It was let into a room as this user. What the same user at the same address has used up before counts. */
  entered(user: string): void {
    if (this.#share.users.includes(user)) return;
    this.#share.entered(user);
    for (const [kind, bucket] of this.#buckets()) this.#rules.debts.settle(this.#key(user, kind), bucket);
  }

  /** What it has used up counts from now on for the next socket of its users. When it is not listened to any more, and when its socket is closed. */
  leaveDebts(now = performance.now()): void {
    this.#share.report(now);
    for (const user of this.#share.users)
      for (const [kind, bucket] of this.#buckets())
        this.#rules.debts.keep(this.#key(user, kind), bucket, now);
  }

  *#buckets(): Iterable<readonly [kind: string, bucket: TokenBucket]> {
    yield ["messages", this.#messages];
    yield ["handling", this.#handlingMs];
    yield ["presence", this.#presenceBytes];
    for (const { room, bucket } of this.#questions) yield [`questions ${room}`, bucket];
  }

  #questionsTo(room: string, now: number): TokenBucket {
    const known = this.#questions.find((questions) => questions.room === room);
    if (known) return known.bucket;
    const { maxQuestioned, debts } = this.#rules;
    // Of rooms that were left; as many come in as there are logins.
    const counted =
      this.#questions.length >= maxQuestioned
        ? this.#questions.filter((questions) => questions.bucket.isLow(now))
        : this.#questions;
    const bucket = new TokenBucket(QUESTIONS);
    for (const user of this.#share.users) debts.settle(this.#key(user, `questions ${room}`), bucket);
    this.#questions = counted.concat({ room, bucket });
    return bucket;
  }

  #key(user: string, kind: string): string {
    return JSON.stringify([this.#address, user, kind]);
  }
}
