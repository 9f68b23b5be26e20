/** What instances say to each other about a room: messages of the Hocuspocus protocol, addressed to the room. */
import { OutgoingMessage, type Document } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { Awareness, MetaClientState } from "y-protocols/awareness";
import { writeSyncStep2 } from "y-protocols/sync";
import type { JournalProgress } from "../storage/journal.ts";

/**
 * An edit, for everybody. Stock instances take it as well, although they publish questions instead.
 *
 * @param progress of the journal that the edit was just given to. It stands after the message, where a stock instance does not look.
 */
export function editOf(
  room: string,
  update: Uint8Array,
  { appended, committed }: JournalProgress,
): Uint8Array {
  const message = new OutgoingMessage(room).createSyncMessage().writeUpdate(update);
  encoding.writeVarUint(message.encoder, appended);
  encoding.writeVarUint(message.encoder, committed);
  return message.toUint8Array();
}

/** What stands after an edit, where something does. @throws Error when it does not decode. */
export function progressAfter(decoder: decoding.Decoder): JournalProgress | null {
  if (!decoding.hasContent(decoder)) return null;
  const appended = decoding.readVarUint(decoder);
  return { appended, committed: decoding.readVarUint(decoder) };
}

/**
 * "This is what I have": each that hears it answers with what it has beyond, and asks back for what it lacks.
 *
 * @param mustAskBack where something may have been lost that does not show in a state vector: a deletion. A byte after the message says so;
 *   a stock instance asks back always, and does not look at it.
 */
export function questionAbout(
  document: Document,
  { mustAskBack }: { readonly mustAskBack: boolean },
): Uint8Array {
  const message = new OutgoingMessage(document.name).createSyncMessage().writeFirstSyncStepFor(document);
  if (mustAskBack) encoding.writeUint8(message.encoder, 1);
  return message.toUint8Array();
}

/** The same, as a part of an answer: nobody asks back. */
export function questionBack(document: Document): Uint8Array {
  return new OutgoingMessage(document.name)
    .createSyncReplyMessage()
    .writeFirstSyncStepFor(document)
    .toUint8Array();
}

/**
 * All that the document has beyond a state vector.
 *
 * @param isOpen whether it has been read from the store and made equal with the others'. Where it is only about to be, a byte after the message
 *   says so: whoever asks must not take the answer for that of one who has the room.
 * @throws Error when it is no state vector.
 */
export function stateBeyond(
  document: Document,
  stateVector: Uint8Array,
  { isOpen }: { readonly isOpen: boolean },
): Uint8Array {
  const message = new OutgoingMessage(document.name).createSyncMessage();
  writeSyncStep2(message.encoder, document, stateVector);
  if (!isOpen) encoding.writeUint8(message.encoder, 1);
  return message.toUint8Array();
}

export function questionForPeople(room: string): Uint8Array {
  return new OutgoingMessage(room).writeQueryAwareness().toUint8Array();
}

/**
 * "Something of the room is in the store, or somebody has left it, and I never said so." A question for people, which a stock instance takes it
 * for, and a byte behind it, where that one does not look.
 */
export function adviceToCatchUp(room: string): Uint8Array {
  const message = new OutgoingMessage(room).writeQueryAwareness();
  encoding.writeUint8(message.encoder, 1);
  return message.toUint8Array();
}

/**
 * What these clients show now; of one that shows nothing, that it is gone.
 * @param clocks of each of them.
 */
export function peopleOf(
  { name, awareness }: Pick<Document, "name"> & { readonly awareness: Pick<Awareness, "states"> },
  clocks: ReadonlyMap<number, MetaClientState>,
): Uint8Array {
  // Nothing else of it is read.
  const told = { states: awareness.states, meta: clocks } as Awareness;
  return new OutgoingMessage(name).createAwarenessUpdateMessage(told, [...clocks.keys()]).toUint8Array();
}

/** "None of mine is in this room", from one where it is not open. */
export function nobodyIn(room: string): Uint8Array {
  return peopleOf({ name: room, awareness: { states: new Map() } }, new Map());
}

/** What an extension tells everybody in the room. */
export function announcementIn(room: string, payload: string): Uint8Array {
  return new OutgoingMessage(room).writeBroadcastStateless(payload).toUint8Array();
}
