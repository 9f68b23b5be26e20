/** What the server says to one member of a room about its document. */
import { OutgoingMessage } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { messageYjsSyncStep1, writeSyncStep2 } from "y-protocols/sync";
import type { Member } from "../members/member.ts";
import { ClientSocket } from "../transport/client-socket.ts";

/** "This is what I have": the client answers with all that it has beyond. */
export function askForState(member: Member, stateVector: Uint8Array): void {
  const message = new OutgoingMessage(member.messageAddress).createSyncMessage();
  encoding.writeVarUint(message.encoder, messageYjsSyncStep1);
  encoding.writeVarUint8Array(message.encoder, stateVector);
  member.send(message.toUint8Array());
}

/** All that the document has beyond what the client said to have. */
export function sendState(member: Member, stateVector: Uint8Array): void {
  const message = new OutgoingMessage(member.messageAddress).createSyncMessage();
  writeSyncStep2(message.encoder, member.document, stateVector);
  member.send(message.toUint8Array());
}

/** "Saved", for so many edits, as soon as it is true. */
export function acknowledge(member: Member, count = 1): void {
  if (count > 0 && member.webSocket instanceof ClientSocket) member.webSocket.acknowledge(member, count);
}

/** "Not saved": the provider keeps counting the edit as unsynced. */
export function decline(member: Member): void {
  const message = new OutgoingMessage(member.messageAddress).writeSyncStatus(false);
  member.send(message.toUint8Array());
}
