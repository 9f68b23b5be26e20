import * as Y from "yjs";
import type { StoredRoom } from "./store.ts";

/**
 * One update that holds all of `stored`, with deleted content garbage-collected. Updates whose predecessors are missing are kept,
 * as Yjs keeps them pending. Costs time in proportion to the room: for a storage worker, never for the event loop.
 *
 * @throws when an update does not decode.
 */
export function mergeState(stored: Pick<StoredRoom, "snapshot" | "updates">): Uint8Array {
  const doc = new Y.Doc();
  doc.transact(() => {
    if (stored.snapshot) Y.applyUpdate(doc, stored.snapshot);
    for (const update of stored.updates) Y.applyUpdate(doc, update);
  });
  const state = Y.encodeStateAsUpdate(doc);
  doc.destroy();
  return state;
}
