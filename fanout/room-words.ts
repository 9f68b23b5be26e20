/** What instances say to each other about a room: messages of the Hocuspocus protocol, addressed to the room. */
import { OutgoingMessage, type Document } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { writeSyncStep2 } from "y-protocols/sync";

/** An edit, for everybody. Stock instances take it as well, although they publish questions instead. */
export function editOf(room: string, update: Uint8Array): Uint8Array {
  return new OutgoingMessage(room).createSyncMessage().writeUpdate(update).toUint8Array();
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

/** All that the document has beyond a state vector. @throws Error when it is none. */
export function stateBeyond(document: Document, stateVector: Uint8Array): Uint8Array {
  const message = new OutgoingMessage(document.name).createSyncMessage();
  writeSyncStep2(message.encoder, document, stateVector);
  return message.toUint8Array();
}

export function questionForPeople(room: string): Uint8Array {
  return new OutgoingMessage(room).writeQueryAwareness().toUint8Array();
}

/** What these clients show now; of one that shows nothing, that it is gone. */
export function peopleOf({ name, awareness }: Document, clients: readonly number[]): Uint8Array {
  return new OutgoingMessage(name).createAwarenessUpdateMessage(awareness, [...clients]).toUint8Array();
}

/** What an extension tells everybody in the room. */
export function announcementIn(room: string, payload: string): Uint8Array {
  return new OutgoingMessage(room).writeBroadcastStateless(payload).toUint8Array();
}
