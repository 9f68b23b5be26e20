/** What the page may say about the edits in it. One pure function, so that the truth stands in one place. */
import type { Refusal } from "./reasons.ts";

export type SavedStatus =
  | { readonly kind: "connecting" }
  /** Every edit is on the server's disk. */
  | { readonly kind: "saved" }
  | { readonly kind: "saving" }
  /** `changes` are written to this device, or, without `kept`, only in this tab. `why` is the server's word, where it gave one. */
  | {
      readonly kind: "offline";
      readonly changes: number;
      readonly kept: boolean;
      readonly why: string | null;
    }
  /** `unsaved` were made before the access was taken, and are taken when it is back. */
  | { readonly kind: "read-only"; readonly unsaved: number }
  | { readonly kind: "out"; readonly refusal: Refusal };

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
  readonly hasCopy: boolean;
  readonly why: string | null;
}

export function savedStatus(facts: SavedFacts): SavedStatus {
  if (facts.refusal) return { kind: "out", refusal: facts.refusal };
  if (!facts.isAdmitted) {
    if (!facts.hasFailed && facts.unsaved === 0) return { kind: "connecting" };
    const changes = facts.hasCopy ? facts.unsavedKept : facts.unsaved;
    return { kind: "offline", changes, kept: facts.hasCopy, why: facts.why };
  }
  if (facts.access === "read") return { kind: "read-only", unsaved: facts.unsaved };
  return facts.isAcknowledged && facts.unsaved === 0 ? { kind: "saved" } : { kind: "saving" };
}
