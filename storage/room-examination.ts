/** Whether a stored room loads, and if not, what is in the way. */
import * as Y from "yjs";
import { sortRows } from "./journal-rows.ts";
import type { SurveyedRoom, SurveyedRow } from "./store-survey.ts";
import type { UnreadableRow } from "./store.ts";

export interface Examination {
  /** Why the snapshot cannot be used; null when it can, or when there is none. */
  readonly snapshotFault: string | null;
  readonly unreadable: readonly UnreadableRow[];
  /** What is left without these: the room as the server loads it. Destroy it after use. */
  readonly document: Y.Doc;
  /** Edits are there that build on others which are not: Yjs keeps them, and does not show them. */
  readonly isIncomplete: boolean;
}

export function examine({ snapshot, snapshotSum, rows }: SurveyedRoom): Examination {
  const { unreadable } = sortRows(rows);
  const faults = new Map(unreadable.map((fault) => [fault.seq, fault]));
  let snapshotFault = snapshot && faultInSnapshot(snapshot, snapshotSum);
  for (;;) {
    const readable = rows.filter(({ seq }) => !faults.has(seq));
    const outcome = load({ snapshot: snapshotFault === null ? snapshot : null, rows: readable });
    if (outcome instanceof Y.Doc) {
      const { pendingStructs, pendingDs } = outcome.store;
      return {
        snapshotFault,
        unreadable: [...faults.values()],
        document: outcome,
        isIncomplete: pendingStructs !== null || pendingDs !== null,
      };
    }
    // It decodes and cannot be applied all the same. A document that threw is good for nothing: from the beginning, without it.
    if (outcome.seq === null) snapshotFault = outcome.reason;
    else faults.set(outcome.seq, { seq: outcome.seq, reason: outcome.reason });
  }
}

function faultInSnapshot(data: Uint8Array, sum: number | null): string | null {
  return sortRows([{ seq: 0, data, sum }]).unreadable[0]?.reason ?? null;
}

function load({
  snapshot,
  rows,
}: {
  readonly snapshot: Uint8Array | null;
  readonly rows: readonly SurveyedRow[];
}): Y.Doc | { readonly seq: number | null; readonly reason: string } {
  const doc = new Y.Doc();
  let seq: number | null = null;
  try {
    doc.transact(() => {
      if (snapshot) Y.applyUpdate(doc, snapshot);
      for (const row of rows) {
        seq = row.seq;
        Y.applyUpdate(doc, row.data);
      }
    });
    return doc;
  } catch (error) {
    doc.destroy();
    return { seq, reason: `it cannot be applied: ${error instanceof Error ? error.message : String(error)}` };
  }
}
