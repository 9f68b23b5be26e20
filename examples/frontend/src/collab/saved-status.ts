/** What the page may say about the edits in it. One pure function, so that the truth stands in one place. */
import type { Refusal } from "./reasons.ts";

export type SavedStatus =
  | { readonly kind: "connecting" }
  /** Every edit is on the server's disk. */
  | { readonly kind: "saved" }
  | { readonly kind: "saving" }
  | Offline
  /** `unsaved` were made before the access was taken, and are taken when it is back. */
  | { readonly kind: "read-only"; readonly unsaved: number }
  | { readonly kind: "out"; readonly refusal: Refusal };

/** The server has not acknowledged `changes`. */
export interface Offline {
  readonly kind: "offline";
  readonly changes: number;
  /** Of those, the ones that are written to this device: for some milliseconds fewer than all. */
  readonly kept: number;
  /** False where the browser keeps nothing, or no more: what is not kept is in this tab only. */
  readonly keeps: boolean;
  /** The server's word, where it gave one. */
  readonly why: string | null;
}

export interface SavedFacts {
  readonly refusal: Refusal | null;
  /** The server has admitted this connection. */
  readonly isAdmitted: boolean;
  /** The connection was lost, or could not be had, since the room was opened. */
  readonly hasFailed: boolean;
  readonly access: "read" | "write" | null;
  /** Admitted, in possession of the room, and the server has acknowledged whatever was sent. */
  readonly isAcknowledged: boolean;
  /** Edits made here since the last time that all were acknowledged. */
  readonly unsaved: number;
  /** Of those, the ones that are written to this device. */
  readonly unsavedKept: number;
  /** There is a copy on this device, and it has taken every edit so far. */
  readonly hasCopy: boolean;
  readonly why: string | null;
}

export function savedStatus(facts: SavedFacts): SavedStatus {
  if (facts.refusal) return { kind: "out", refusal: facts.refusal };
  if (!facts.isAdmitted) {
    if (!facts.hasFailed && facts.unsaved === 0) return { kind: "connecting" };
    const kept = facts.hasCopy ? facts.unsavedKept : 0;
    return { kind: "offline", changes: facts.unsaved, kept, keeps: facts.hasCopy, why: facts.why };
  }
  if (facts.access === "read") return { kind: "read-only", unsaved: facts.unsaved };
  return facts.isAcknowledged && facts.unsaved === 0 ? { kind: "saved" } : { kind: "saving" };
}
