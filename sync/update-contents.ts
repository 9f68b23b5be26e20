/**
 * What a Yjs update brings, read before it is applied. y-protocols swallows every error of an update that does not fit, and Hocuspocus
 * acknowledges it all the same: what is found out here is the difference between "received" and "is in the document".
 */
import * as Y from "yjs";

/**
 * Longer runs of content-less elements (GC, skipped, deleted) are no typing that was deleted again: seven bytes can claim 2^40 of them for
 * somebody else's client id, whose edits would count as known from then on.
 */
const MAX_RUN_LENGTH = 2 ** 24;

type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];

export interface DeletedRange {
  readonly client: number;
  /** Clock of the first deleted element. */
  readonly start: number;
  /** Clock after the last deleted element. */
  readonly end: number;
}

export interface UpdateContents {
  readonly structs: readonly Struct[];
  /** For each client id with elements in the update: the clock after the last. */
  readonly ends: ReadonlyMap<number, number>;
  readonly deletions: readonly DeletedRange[];
}

/** @throws Error when it is no update, is cut off, or claims what no editing can have made. */
export function readContents(update: Uint8Array): UpdateContents {
  // Decodes struct by struct: a count that the bytes do not bear out ends in an error before anything of that size is allocated.
  const { structs, ds } = Y.decodeUpdate(update);
  const ends = new Map<number, number>();
  for (const struct of structs) {
    if (isRun(struct) && struct.length > MAX_RUN_LENGTH)
      throw new Error(`A run of ${struct.length} elements`);
    if (struct instanceof Y.Skip) continue;
    const { client, clock } = struct.id;
    ends.set(client, Math.max(ends.get(client) ?? 0, clock + struct.length));
  }
  const deletions: DeletedRange[] = [];
  ds.clients.forEach((ranges, client) => {
    for (const { clock, len } of ranges) deletions.push({ client, start: clock, end: clock + len });
  });
  return { structs, ends, deletions };
}

/** Whether all elements of the update, and all that it deletes, are in the document. */
export function isIntegrated(document: Y.Doc, { ends, deletions }: UpdateContents): boolean {
  for (const [client, end] of ends) if (end > Y.getState(document.store, client)) return false;
  return deletions.every(({ client, end }) => end <= Y.getState(document.store, client));
}

/**
 * Whether the update would change nothing: what Hocuspocus asks a read-only client's first sync. It compares with a snapshot of the whole
 * document there, which takes as long as the document is large; here it takes as long as what the client says was deleted.
 */
export function isContained(document: Y.Doc, contents: UpdateContents): boolean {
  return isIntegrated(document, contents) && contents.deletions.every((range) => isDeleted(document, range));
}

function isDeleted({ store }: Y.Doc, { client, start, end }: DeletedRange): boolean {
  for (let clock = start; clock < end;) {
    // An Item, or a GC, which is deleted too.
    const { id, length, deleted } = Y.getItem(store, Y.createID(client, clock));
    if (!deleted) return false;
    clock = id.clock + length;
  }
  return true;
}

function isRun(struct: Struct): boolean {
  return !(struct instanceof Y.Item) || struct.content instanceof Y.ContentDeleted;
}
