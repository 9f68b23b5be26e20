/** The beginning of each sync: the client says what it has, is sent what it lacks, and asked for what the document lacks. */
import * as Y from "yjs";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Member } from "../members/member.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import { readClaims, type Claims } from "./claims.ts";
import { sendState } from "./replies.ts";
import type { StateQuestions } from "./state-questions.ts";

export interface FirstSyncsOptions {
  readonly log: Log;
  readonly questions: StateQuestions;
  /** Sends a client what it lacks, without the event loop's help; null where the document is small enough to be asked itself. */
  readonly answer: (member: Member, stateVector: Uint8Array) => Promise<void> | null;
}

export class FirstSyncs {
  readonly #options: FirstSyncsOptions;
  /** Members who are being answered, and what they asked meanwhile: the newest question covers those before it. */
  readonly #underWay = new Map<Member, Uint8Array | null>();
  /**
   * Members who first have to show what they say to have. If they were answered before, a page would have the end of a history that is not
   * its own behind its own edits, and from then on nobody could tell.
   */
  readonly #unshown = new WeakMap<Member, Claims>();

  constructor(options: FirstSyncsOptions) {
    this.#options = options;
  }

  /**
   * @throws Error when it is no state vector.
   * @throws Refusal when the client asks again and again: 8 bytes are answered with the whole room.
   */
  answer(member: Member, stateVector: Uint8Array): void {
    const { document, webSocket } = member;
    if (webSocket instanceof ClientSocket && !webSocket.sender.mayAsk(document.name, performance.now()))
      throw new Refusal(closeReasons.rateLimited);
    // Here, where it is the client's fault: the store would fail at it, and the document after that.
    const claims = readClaims(document, stateVector);
    this.#answer(member, stateVector, claims);
  }

  #answer(member: Member, stateVector: Uint8Array, claims: Claims): void {
    if (this.#underWay.has(member)) {
      this.#underWay.set(member, stateVector);
      return;
    }
    const { questions } = this.#options;
    questions.syncBegun(member, claims);
    if (claims.size > 0) {
      this.#unshown.set(member, claims);
      questions.ask(member);
    } else this.#send(member, stateVector, () => questions.ask(member));
  }

  /**
   * The client has sent its state. Returns false if its acks have to wait: it is being answered, and asked again after that. A provider
   * whose own state has been acknowledged calls itself synced, whether or not it has the room's.
   */
  shown(member: Member): boolean {
    const claims = this.#unshown.get(member);
    if (!claims) return true;
    this.#unshown.delete(member);
    // Of the ids that the room does not have there is nothing to be sent.
    return this.#send(member, Y.encodeStateVector(new Map(claims)));
  }

  /**
   * Returns false while it is under way.
   * @param first is done before the document answers; the store's answer is followed by a question anyway.
   */
  #send(member: Member, stateVector: Uint8Array, first?: () => void): boolean {
    const answered = this.#options.answer(member, stateVector);
    if (!answered) {
      first?.();
      sendState(member, stateVector);
      return true;
    }
    this.#options.questions.askLater(member);
    this.#underWay.set(member, null);
    void this.#finish(member, { stateVector, answered });
    return false;
  }

  async #finish(
    member: Member,
    { stateVector, answered }: { readonly stateVector: Uint8Array; readonly answered: Promise<void> },
  ): Promise<void> {
    const { log, questions } = this.#options;
    const { document } = member;
    try {
      await answered;
    } catch (error) {
      const fields = { event: "answer-failed", room: document.name, err: error };
      log.warn(fields, "The store did not answer a first sync");
      if (document.hasConnection(member)) sendState(member, stateVector);
    }
    const next = this.#underWay.get(member);
    this.#underWay.delete(member);
    if (!document.hasConnection(member)) return;
    if (next) this.#answer(member, next, readClaims(document, next));
    else questions.ask(member);
  }
}
