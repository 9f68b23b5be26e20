/**
 * The first sync of a large room, from the store instead of the document: encoding 3.7 MB takes the event loop 40 to 60 ms for every
 * joiner, and even a client that has nearly everything costs a walk over all of the document. The store's worker does it as well.
 */
import { MessageType } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import pLimit, { type LimitFunction } from "p-limit";
import { messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import type { Journal } from "../storage/journal.ts";
import type { UnreadableRow } from "../storage/store.ts";
import type { ThreadedStore } from "../storage/threaded-store.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import type { FirstSyncsOptions } from "./first-syncs.ts";
import type { Member } from "../members/member.ts";

/** About 6 ms of encoding. Below that the way to the worker and back costs more than it saves. */
const LARGE_ROOM_BYTES = 512 * 1024;

/** Reads at once, of all clients together. The worker that reads also compacts, and a flood of questions must not keep it from that. */
const MAX_READS = 2;

export interface StoredAnswersOptions {
  readonly store: Pick<ThreadedStore, "loadSince">;
  readonly journal: Pick<Journal, "trouble">;
  /** What is in the document and not in the store, as far as is known. */
  readonly unsavedUpdates: (room: string) => readonly Uint8Array[];
  readonly storedBytes: (room: string) => number;
  readonly reportUnreadable: (room: string, rows: readonly UnreadableRow[]) => void;
}

export function storedAnswers({
  store,
  journal,
  unsavedUpdates,
  storedBytes,
  reportUnreadable,
}: StoredAnswersOptions): FirstSyncsOptions["answer"] {
  const limit = pLimit(MAX_READS);
  const turns = new WeakMap<ClientSocket, LimitFunction>();

  const answerFromStore = async (
    webSocket: ClientSocket,
    member: Member,
    stateVector: Uint8Array,
  ): Promise<void> => {
    const { document } = member;
    // The client may be gone when its turn comes.
    if (!document.hasConnection(member)) return;
    // What is applied until now has to be in the answer; what comes after it is broadcast to this client already.
    const unsaved = unsavedUpdates(document.name);
    const { snapshot, updates, unreadable } = await store.loadSince(document.name, stateVector);
    reportUnreadable(document.name, unreadable);
    const parts = [...(snapshot ? [snapshot] : []), ...updates, ...unsaved];
    if (!document.hasConnection(member)) return;
    for (const [index, update] of parts.entries()) {
      // The last one says "this is all"; a client calls itself synced then.
      const type = index === parts.length - 1 ? messageYjsSyncStep2 : messageYjsUpdate;
      webSocket.sendInParts(messageStart(member.messageAddress, type, update), update);
    }
  };

  return (member, stateVector) => {
    const { document, webSocket } = member;
    const isSmall = storedBytes(document.name) < LARGE_ROOM_BYTES;
    if (isSmall || journal.trouble || !(webSocket instanceof ClientSocket)) return null;
    // One large room after the other to each client: together they may be more than may wait for it.
    let inTurn = turns.get(webSocket);
    if (!inTurn) turns.set(webSocket, (inTurn = pLimit(1)));
    return inTurn(async () => {
      await webSocket.drained();
      await limit(() => answerFromStore(webSocket, member, stateVector));
    });
  };
}

function messageStart(address: string, type: number, update: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, address);
    encoding.writeVarUint(encoder, MessageType.Sync);
    encoding.writeVarUint(encoder, type);
    encoding.writeVarUint(encoder, update.byteLength);
  });
}
