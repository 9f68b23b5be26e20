/** The beginning of each sync: the client says what it has, is sent what it lacks, and asked for what the document lacks. */
import * as Y from "yjs";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Member } from "../members/member.ts";
import { ClientSocket } from "../transport/client-socket.ts";
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
    Y.decodeStateVector(stateVector);
    this.#answer(member, stateVector);
  }

  #answer(member: Member, stateVector: Uint8Array): void {
    if (this.#underWay.has(member)) {
      this.#underWay.set(member, stateVector);
      return;
    }
    const { questions, answer } = this.#options;
    questions.syncBegun(member);
    const answered = answer(member, stateVector);
    if (!answered) {
      questions.ask(member);
      sendState(member, stateVector);
      return;
    }
    this.#underWay.set(member, null);
    void this.#finish(member, { stateVector, answered });
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
    // Asked afterwards: a provider whose own state has been acknowledged calls itself synced, whether or not it has the room's.
    if (next) this.#answer(member, next);
    else questions.ask(member);
  }
}
