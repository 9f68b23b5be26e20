/**
 * How large a room may become. Its size is known from the store, where deleted content is counted until the next merge: near the limit
 * merges follow each deletion, so that what was deleted is place again.
 */
import type { Document } from "@hocuspocus/server";
import { closeReasons } from "../lib/close-reasons.ts";
import { Refusal } from "../lib/refusal.ts";

/** From here on deletions are followed by a merge; below, the journal's growth brings one soon enough. */
const NEARLY_FULL = 7 / 8;

export interface DocumentLimitOptions {
  readonly maxDocumentBytes: number;
  /** About how large a room is, bytes; never less than it is. */
  readonly storedBytes: (room: string) => number;
  /** Merges the room, after which its size is known. */
  readonly remeasure: (room: string) => void;
}

export class DocumentLimit {
  readonly #options: DocumentLimitOptions;

  constructor(options: DocumentLimitOptions) {
    this.#options = options;
  }

  /**
   * To be asked before an update is applied: what is in a document stays in it. What only deletes always fits, or a full room could not be
   * emptied.
   * @param added ids that the update adds to.
   * @throws Refusal
   */
  ensureFits({ name }: Document, update: Uint8Array, added: readonly number[]): void {
    const { maxDocumentBytes, storedBytes, remeasure } = this.#options;
    if (added.length === 0 || storedBytes(name) + update.byteLength <= maxDocumentBytes) return;
    remeasure(name);
    throw new Refusal(closeReasons.documentTooBig);
  }

  /** To be told of an update that was applied. */
  applied({ name }: Document, added: readonly number[]): void {
    const { maxDocumentBytes, storedBytes, remeasure } = this.#options;
    if (added.length === 0 && storedBytes(name) > maxDocumentBytes * NEARLY_FULL) remeasure(name);
  }
}
