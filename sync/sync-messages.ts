/**
 * The Sync messages (y-protocols/sync) of everybody who is in a room. Hocuspocus acknowledges whatever came: truncated updates, updates that
 * wait for others, updates of a document that is broken.
 */
import type { HookName } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import type { Log } from "../lib/log.ts";
import type { Rooms } from "../lib/rooms.ts";
import type { ClientIds } from "../members/client-ids.ts";
import type { MessageHandler } from "../members/member-messages.ts";
import type { Member } from "../members/member.ts";
import type { DocumentLimit } from "./document-limit.ts";
import { FirstSyncs, type FirstSyncsOptions } from "./first-syncs.ts";
import { StateQuestions } from "./state-questions.ts";
import { UpdateIntake, type UpdateIntakeOptions } from "./update-intake.ts";

export interface SyncMessagesOptions {
  readonly rooms: Pick<Rooms, "discard">;
  readonly log: Log;
  readonly answer: FirstSyncsOptions["answer"];
  readonly clientIds: ClientIds;
  /** A member has answered the question for its state: whatever a provider says first thing has been said. */
  readonly onIntroduced: (member: Member) => void;
  readonly limit: DocumentLimit;
  readonly memory: UpdateIntakeOptions["memory"];
  readonly ensureSaved?: UpdateIntakeOptions["ensureSaved"];
}

export class SyncMessages implements MessageHandler {
  readonly hookNames: readonly HookName[] = ["beforeSync"];
  readonly #questions = new StateQuestions();
  readonly #firstSyncs: FirstSyncs;
  readonly #intake: UpdateIntake;
  readonly #onIntroduced: SyncMessagesOptions["onIntroduced"];

  constructor(options: SyncMessagesOptions) {
    const questions = this.#questions;
    const firstSyncs = new FirstSyncs({ ...options, questions });
    this.#firstSyncs = firstSyncs;
    this.#intake = new UpdateIntake({
      ...options,
      questions,
      onShown: (member) => firstSyncs.shown(member),
    });
    this.#onIntroduced = options.onIntroduced;
  }

  /** Somebody who might only read may write from now on, and may have written already. */
  mayWrite(member: Member): void {
    this.#questions.mayWrite(member);
  }

  handle(member: Member, decoder: decoding.Decoder): void {
    const type = decoding.readVarUint(decoder);
    const payload = decoding.readVarUint8Array(decoder);
    switch (type) {
      case messageYjsSyncStep1:
        this.#firstSyncs.answer(member, payload);
        break;
      case messageYjsSyncStep2:
        this.#onIntroduced(member);
        this.#intake.takeState(member, payload);
        break;
      case messageYjsUpdate:
        this.#intake.takeEdit(member, payload);
        break;
      default:
        throw new Error(`Sync message of unknown type ${type}`);
    }
  }

  async handleWithHooks(
    member: Member,
    decoder: decoding.Decoder,
    timed: (handle: () => void) => void,
  ): Promise<void> {
    const peeking = decoding.clone(decoder);
    const type = decoding.readVarUint(peeking);
    await member.callbacks.beforeSync(member, { type, payload: decoding.readVarUint8Array(peeking) });
    if (!member.document.isDestroyed) timed(() => this.handle(member, decoder));
  }
}
