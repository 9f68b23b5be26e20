/**
 * The first sync of a large room, from the store instead of the document: encoding 3.7 MB takes the event loop 40 to 60 ms for every
 * joiner, and even a client that has nearly everything costs a walk over all of the document. The store's worker does it as well.
 */
import { MessageType, type Connection } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import type { Identity } from "../lib/identity.ts";
import type { Journal } from "../storage/journal.ts";
import type { UnreadableRow } from "../storage/store.ts";
import type { ThreadedStore } from "../storage/threaded-store.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import type { SyncMessagesOptions } from "./sync-messages.ts";

/** About 6 ms of encoding. Below that the way to the worker and back costs more than it saves. */
const LARGE_ROOM_BYTES = 512 * 1024;

export interface StoredAnswersOptions {
  readonly store: Pick<ThreadedStore, "loadSince">;
  readonly journal: Pick<Journal, "trouble" | "whenSaved">;
  readonly storedBytes: (room: string) => number;
  readonly reportUnreadable: (room: string, rows: readonly UnreadableRow[]) => void;
}

export function storedAnswers({
  store,
  journal,
  storedBytes,
  reportUnreadable,
}: StoredAnswersOptions): SyncMessagesOptions["answer"] {
  const answerFromStore = async (
    connection: Connection<Identity>,
    stateVector: Uint8Array,
  ): Promise<void> => {
    const { document } = connection;
    // What is applied until now has to be in the answer; what comes after it is broadcast to this connection already.
    await new Promise<void>((resolve) => journal.whenSaved(document.name, resolve));
    const { snapshot, updates, unreadable } = await store.loadSince(document.name, stateVector);
    reportUnreadable(document.name, unreadable);
    const parts = snapshot ? [snapshot, ...updates] : updates;
    if (!document.hasConnection(connection) || !(connection.webSocket instanceof ClientSocket)) return;
    for (const [index, update] of parts.entries()) {
      // The last one says "this is all"; a client calls itself synced then.
      const type = index === parts.length - 1 ? messageYjsSyncStep2 : messageYjsUpdate;
      connection.webSocket.sendInParts(messageStart(connection.messageAddress, type, update), update);
    }
  };

  return (connection, stateVector) =>
    storedBytes(connection.document.name) < LARGE_ROOM_BYTES || journal.trouble
      ? null
      : answerFromStore(connection, stateVector);
}

function messageStart(address: string, type: number, update: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, address);
    encoding.writeVarUint(encoder, MessageType.Sync);
    encoding.writeVarUint(encoder, type);
    encoding.writeVarUint(encoder, update.byteLength);
  });
}
