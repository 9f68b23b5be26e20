/**
 * What each member has been asked for, and how many acks the answer is worth. A provider counts each of its edits, and its own first sync
 * as one; an answer to a question of ours it does not count. One ack too many, and it calls an edit saved that is not.
 */
import type { Member } from "../members/member.ts";
import { questionFor, type Claims } from "./claims.ts";
import { askForState } from "./replies.ts";

const noClaims: Claims = new Map();

interface Questions {
  /** One at a time: its answer has everything that the client knew when it got the question, so a second one adds nothing. */
  isAsked: boolean;
  /** The client has begun a first sync, which its answer completes. */
  awaitsSync: boolean;
  /** Edits that were not taken, because their predecessors were missing or their author might only read. */
  owed: number;
  /** What the client said to have at its first sync, until that is in the document: the edits that it makes here are looked at as they come. */
  claims: Claims;
}

export class StateQuestions {
  readonly #questions = new WeakMap<Member, Questions>();

  /** The client has begun a first sync. To be followed by `ask` once it has been told what the document has. */
  syncBegun(member: Member, claims: Claims): void {
    const questions = this.#of(member);
    questions.awaitsSync = true;
    // The provider counts anew from here, and the answer has them all.
    questions.owed = 0;
    questions.claims = claims;
  }

  /** Nothing is asked until `ask` is called, whatever edits come meanwhile. */
  askLater(member: Member): void {
    this.#of(member).isAsked = true;
  }

  /** What the client has said to have it has shown, as far as it was asked to. */
  shown(member: Member): void {
    this.#of(member).claims = noClaims;
  }

  ask(member: Member): void {
    const questions = this.#of(member);
    questions.isAsked = true;
    askForState(member, questionFor(member.document, questions.claims));
  }

  /** Withholds an ack, and asks the client for what is missing. */
  owe(member: Member): void {
    const questions = this.#of(member);
    questions.owed++;
    if (!questions.isAsked) this.ask(member);
  }

  /** Withholds an ack for as long as the member may only read. */
  declined(member: Member): void {
    this.#of(member).owed++;
  }

  /** What was declined may be taken now. */
  mayWrite(member: Member): void {
    const { owed, awaitsSync, isAsked } = this.#of(member);
    if ((owed > 0 || awaitsSync) && !isAsked) this.ask(member);
  }

  /** The client has sent all that it has. */
  answered(member: Member): void {
    this.#of(member).isAsked = false;
  }

  /** All that the client sent so far is in the document. Returns how many acks that is. */
  settle(member: Member): number {
    const questions = this.#of(member);
    const acks = questions.owed + (questions.awaitsSync ? 1 : 0);
    questions.owed = 0;
    questions.awaitsSync = false;
    return acks;
  }

  #of(member: Member): Questions {
    let questions = this.#questions.get(member);
    if (!questions) {
      questions = { isAsked: false, awaitsSync: false, owed: 0, claims: noClaims };
      this.#questions.set(member, questions);
    }
    return questions;
  }
}
