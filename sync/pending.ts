/**
 * What Yjs keeps aside in a document because its predecessors are missing. Only a hole in the stored room may stay there; what a client
 * sends may not: it would cost memory and time at every later edit, for as long as the room is open.
 */
import * as Y from "yjs";
import { readContents, type UpdateContents } from "./update-contents.ts";

export type Pending = Pick<Y.Doc["store"], "pendingStructs" | "pendingDs">;

/** What comes next may bring it into the document, and it is then in one update with that. */
export function hasPending({ store: { pendingStructs, pendingDs } }: Y.Doc): boolean {
  return pendingStructs !== null || pendingDs !== null;
}

export function pendingOf({ store: { pendingStructs, pendingDs } }: Y.Doc): Pending {
  return {
    // A copy: Yjs merges what comes next into the object itself.
    pendingStructs: pendingStructs && { ...pendingStructs, missing: new Map(pendingStructs.missing) },
    pendingDs,
  };
}

export function restorePending({ store }: Y.Doc, { pendingStructs, pendingDs }: Pending): void {
  store.pendingStructs = pendingStructs;
  store.pendingDs = pendingDs;
}

/**
 * Whether what could not be integrated is a hole that the stored room has: whoever loads it knows it too, and sends it along. To leave that
 * unacknowledged would show everybody in the room unsaved edits for ever.
 *
 * @param pending as it was before the update was applied.
 */
export function wasPending(
  { store }: Y.Doc,
  { pendingStructs, pendingDs }: Pending,
  { ends }: UpdateContents,
): boolean {
  if (!pendingStructs && !pendingDs) return false;
  const known = pendingStructs && readContents(Y.convertUpdateFormatV2ToV1(pendingStructs.update)).ends;
  return [...ends].every(
    ([client, end]) => end <= Math.max(Y.getState(store, client), known?.get(client) ?? 0),
  );
}
