/**
 * What becomes of an update that a member of a room sends. It is acknowledged when all of it is in the document (and, by the client socket,
 * when that is on disk); what cannot be taken in yet is owed an ack, and the client is asked for what is missing.
 */
import type { Document } from "@hocuspocus/server";
import type * as Y from "yjs";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Rooms } from "../lib/rooms.ts";
import type { RoomMemory } from "../limits/room-memory.ts";
import type { ClientIds } from "../members/client-ids.ts";
import type { Member } from "../members/member.ts";
import { applyUpdate } from "./application.ts";
import type { DocumentLimit } from "./document-limit.ts";
import { findConflict } from "./overlap.ts";
import { nestsTooDeeply } from "./nesting.ts";
import { pendingOf, restorePending, wasPending } from "./pending.ts";
import { acknowledge, decline } from "./replies.ts";
import type { StateQuestions } from "./state-questions.ts";
import {
  isAlive,
  isContained,
  isIntegrated,
  isNews,
  readContents,
  type UpdateContents,
} from "./update-contents.ts";

export interface UpdateIntakeOptions {
  readonly rooms: Pick<Rooms, "discard">;
  readonly log: Log;
  readonly questions: StateQuestions;
  readonly clientIds: ClientIds;
  readonly limit: DocumentLimit;
  readonly memory: Pick<RoomMemory, "ensureFits">;
  /** A member's state is what it said to have. Returns whether it may be acknowledged already. */
  readonly onShown: (member: Member) => boolean;
  /**
   * The ack that follows must wait until all that came from other instances is saved, because what the client has brought may be among it, or be
   * deleted by it.
   */
  readonly ensureSaved?: ((room: string) => void) | undefined;
}

export class UpdateIntake {
  readonly #options: UpdateIntakeOptions;

  constructor(options: UpdateIntakeOptions) {
    this.#options = options;
  }

  /**
   * An edit, as it was made.
   * @throws Error, or Refusal where the client's document can never be taken in.
   */
  takeEdit(member: Member, update: Uint8Array): void {
    if (member.readOnly) {
      this.#options.questions.declined(member);
      decline(member);
      return;
    }
    const { clientIds, questions, ensureSaved } = this.#options;
    const { document } = member;
    const contents = readContents(update);
    const added = this.#ensureAcceptable(member, update, contents);
    const before = pendingOf(document);
    const wasNews = ensureSaved && isNews(document, contents);
    if (!this.#apply(member, update, added)) return;
    if (isIntegrated(document, contents)) {
      clientIds.claim(added, member);
      if (!(wasNews && isAlive(document, contents))) ensureSaved?.(document.name);
      acknowledge(member);
      return;
    }
    // On top of something that never arrived: the client is asked for all it has, which is then taken as far as it goes.
    restorePending(document, before);
    questions.owe(member);
  }

  /**
   * All that the client has beyond what the server said to have.
   * @throws like `takeEdit`.
   */
  takeState(member: Member, update: Uint8Array): void {
    const { questions, ensureSaved, onShown } = this.#options;
    const { document } = member;
    const contents = readContents(update);
    questions.answered(member);
    ensureSaved?.(document.name);
    if (member.readOnly) {
      const isKnown = isContained(document, contents) && !findConflict(document, contents);
      if (isKnown) questions.shown(member);
      if (!onShown(member)) return;
      if (isKnown) acknowledge(member, questions.settle(member));
      else decline(member);
      return;
    }
    const added = this.#ensureAcceptable(member, update, contents);
    questions.shown(member);
    const before = pendingOf(document);
    if (!this.#apply(member, update, added)) return;
    const isTaken = isIntegrated(document, contents) || wasPending(document, before, contents);
    if (!isTaken) restorePending(document, before);
    if (onShown(member) && isTaken) acknowledge(member, questions.settle(member));
  }

  /**
   * Returns the client ids that the update adds to.
   * @throws Error, or Refusal, where it may not be applied at all.
   */
  #ensureAcceptable(member: Member, update: Uint8Array, contents: UpdateContents): readonly number[] {
    const { clientIds, limit, memory } = this.#options;
    const conflict = findConflict(member.document, contents);
    if (conflict) throw new Refusal(closeReasons.clientIdTaken, takenMessage(conflict));
    const added = clientIds.ensureOwn(contents.ends, member);
    limit.ensureFits(member.document, update, added);
    if (added.length > 0)
      memory.ensureFits(member.document, {
        user: member.context.user.id,
        bytes: update.byteLength,
        elements: contents.structs.length,
      });
    if (nestsTooDeeply(member.document, contents)) throw new Refusal(closeReasons.updateRejected);
    return added;
  }

  /** Returns whether the document is still there. */
  #apply(member: Member, update: Uint8Array, added: readonly number[]): boolean {
    const { failure, isBroken } = applyUpdate(member.document, update, {
      source: "connection",
      connection: member,
    });
    if (isBroken) {
      this.#discard(member.document, { culprit: member, failure });
      return false;
    }
    if (failure) throw failure;
    this.#options.limit.applied(member.document, added);
    return true;
  }

  #discard(document: Document, { culprit, failure }: { culprit: Member; failure: Error | null }): void {
    this.#options.log.error(
      { event: "room-broken", room: document.name, user: culprit.context.user?.id, err: failure },
      `🚑 An edit broke ${document.name}; it is loaded again from what is saved`,
    );
    // For good, whatever was thrown: the author would bring the same edit again, and break the room for everybody once a second. Nor can
    // a stack overflow be told by its error: where it cuts a deletion short, Yjs finds its own document impossible afterwards.
    this.#options.rooms.discard(document, (connection) =>
      connection === culprit ? closeReasons.updateRejected : closeReasons.roomReloaded,
    );
  }
}

function takenMessage({ client, clock }: Y.ID): string {
  return `Element ${clock} of the Yjs client id ${client} is another one here: somebody else has written under that id`;
}
