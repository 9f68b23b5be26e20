/** Applying an update of a client or of another instance to the room's document, and what has become of the document then. */
import type { TransactionOrigin } from "@hocuspocus/server";
import * as Y from "yjs";

export interface Application {
  /** What Yjs or an observer threw; y-protocols would swallow it. */
  readonly failure: Error | null;
  /** Whether the document in memory can no longer be relied on. */
  readonly isBroken: boolean;
}

export function applyUpdate(document: Y.Doc, update: Uint8Array, origin: TransactionOrigin): Application {
  let failure: Error | null = null;
  try {
    Y.applyUpdate(document, update, origin);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  // Where the stack overflowed in the middle of an edit, the document lives on with a part of it.
  return { failure, isBroken: isDead(document) || failure instanceof RangeError };
}

/**
 * A throw in the end of a transaction leaves it in the list of those to be ended, one before its start leaves it open, and Yjs (13.6) waits
 * for ever for its turn: the document takes edits and tells nobody, neither the other clients nor the journal.
 */
function isDead(document: Y.Doc): boolean {
  return document._transactionCleanups.length > 0;
}
