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

/**
 * Elements and deleted ranges in one update. Two bytes can claim one of each, and four million of them take the event loop two seconds; an
 * honest one has four bytes at the least, and the largest list that a message holds has a quarter of this.
 */
const MAX_PARTS = 1_000_000;

type Struct = ReturnType<typeof Y.decodeUpdate>["structs"][number];

export interface UpdateContents {
  readonly structs: readonly Struct[];
  /** For each client id with elements in the update: the clock after the last. */
  readonly ends: ReadonlyMap<number, number>;
  /** Deleted elements of each client id. As Yjs has read them: there may be millions in one message, and a copy would cost seconds. */
  readonly deletions: ReturnType<typeof Y.decodeUpdate>["ds"]["clients"];
}

/** @throws Error when it is no update, is cut off, or claims what no editing can have made. */
export function readContents(update: Uint8Array): UpdateContents {
  // Decodes struct by struct: a count that the bytes do not bear out ends in an error before anything of that size is allocated.
  const { structs, ds } = Y.decodeUpdateV2(update, CountingDecoder);
  const ends = new Map<number, number>();
  let next: Y.ID | null = null;
  for (const struct of structs) {
    const { client, clock } = struct.id;
    // Yjs takes the last block alone, so what is looked at here would not be what is applied.
    if (next?.client === client ? clock !== next.clock : ends.has(client))
      throw new Error("Two blocks of one client id");
    next = Y.createID(client, clock + struct.length);
    if (isRun(struct) && struct.length > MAX_RUN_LENGTH)
      throw new Error(`A run of ${struct.length} elements`);
    if (struct instanceof Y.Skip) continue;
    ends.set(client, clock + struct.length);
  }
  return { structs, ends, deletions: ds.clients };
}

/** Counts while Yjs decodes, and ends it where it is too much. */
class CountingDecoder extends Y.UpdateDecoderV1 {
  #parts = 0;

  /** Called once for each element. */
  override readInfo(): number {
    this.#count();
    return super.readInfo();
  }

  /** Called once for each deleted range. */
  override readDsLen(): number {
    this.#count();
    return super.readDsLen();
  }

  #count(): void {
    if (++this.#parts > MAX_PARTS) throw new Error("An update of too many parts");
  }
}

/** Whether all elements of the update, and all that it deletes, are in the document. */
export function isIntegrated(document: Y.Doc, { ends, deletions }: UpdateContents): boolean {
  for (const [client, end] of ends) if (end > Y.getState(document.store, client)) return false;
  for (const [client, ranges] of deletions) {
    const end = Y.getState(document.store, client);
    if (!ranges.every(({ clock, len }) => clock + len <= end)) return false;
  }
  return true;
}

/**
 * Whether every element of the update is new to the document, and nothing of what it deletes is deleted yet: Yjs then says all of it in the
 * update that is journaled.
 */
export function isNews(document: Y.Doc, { structs, deletions }: UpdateContents): boolean {
  const { store } = document;
  return (
    structs.every(({ id }) => id.clock >= Y.getState(store, id.client)) &&
    [...deletions].every(([client, ranges]) =>
      ranges.every((range) => everyElement(document, client, range, ({ deleted }) => !deleted)),
    )
  );
}

/**
 * Whether all that the update brings is in the document as it was written. What loses against something else (another value of the same key), or
 * stands in what is deleted, is deleted as soon as it comes.
 */
export function isAlive(document: Y.Doc, { structs }: UpdateContents): boolean {
  return structs.every(
    (struct) =>
      !(struct instanceof Y.Item) ||
      struct.content instanceof Y.ContentDeleted ||
      everyElement(
        document,
        struct.id.client,
        { clock: struct.id.clock, len: struct.length },
        ({ deleted }) => !deleted,
      ),
  );
}

/**
 * Whether the update would change nothing: what Hocuspocus asks a read-only client's first sync. It compares with a snapshot of the whole
 * document there, which takes as long as the document is large; here it takes as long as what the client says was deleted.
 */
export function isContained(document: Y.Doc, contents: UpdateContents): boolean {
  return (
    isIntegrated(document, contents) &&
    [...contents.deletions].every(([client, ranges]) =>
      ranges.every((range) => everyElement(document, client, range, ({ deleted }) => deleted)),
    )
  );
}

/** Of the elements in a range that the document has: Items, or GCs, which are deleted too. */
function everyElement(
  { store }: Y.Doc,
  client: number,
  { clock, len }: { readonly clock: number; readonly len: number },
  is: (element: Y.Item | Y.GC) => boolean,
): boolean {
  const end = Math.min(clock + len, Y.getState(store, client));
  for (let at = clock; at < end;) {
    const element: Y.Item | Y.GC = Y.getItem(store, Y.createID(client, at));
    if (!is(element)) return false;
    at = element.id.clock + element.length;
  }
  return true;
}

function isRun(struct: Struct): boolean {
  return !(struct instanceof Y.Item) || struct.content instanceof Y.ContentDeleted;
}
