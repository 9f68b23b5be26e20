/**
 * What a client says to have, and how much of it the server wants to see. To a question with the document's own state vector a client sends
 * what lies beyond; whether the rest is the same, nobody would ever look at. So the server says to have a little less of each client id
 * that both have: the last elements come again, and `findConflict` compares them.
 *
 * A few are enough: each element says what it follows, so two pieces of writing that begin at one clock do not end in the same elements at
 * another. They cost about 25 bytes an id, of a client that comes back; one that comes with nothing is asked for nothing more.
 */
import type { Document } from "@hocuspocus/server";
import * as Y from "yjs";

/**
 * Letters of a text, or values: what somebody else would have to guess, of what nobody but the owner has seen. What is deleted does not
 * count, little of it can be compared.
 */
const ELEMENTS = 8;

/** Of one id: no more elements are added to what is larger than this. The last one is asked for whatever its size. */
const ENOUGH_BYTES = 1024;

/**
 * Of one answer: some thousand ids. The ids with the smallest ends come first: those are what people write, and pictures would travel at
 * every reconnect.
 */
const MAX_TOTAL_BYTES = 256 * 1024;

/** What every element costs beside its content, bytes. */
const HEAD_BYTES = 20;

/** For each client id that both have: the clock after the last element that the client has. */
export type Claims = ReadonlyMap<number, number>;

/** @throws Error when it is no state vector. */
export function readClaims({ store }: Document, stateVector: Uint8Array): Claims {
  const claims = Y.decodeStateVector(stateVector);
  // Only these, whatever a client says: it may be kept for as long as the client does not answer.
  for (const client of claims.keys()) if (!store.clients.has(client)) claims.delete(client);
  return claims;
}

/** The state vector to ask a client with. */
export function questionFor(document: Document, claims: Claims): Uint8Array {
  const stateVector = Y.encodeStateVector(document);
  if (claims.size === 0) return stateVector;
  const { store } = document;
  const ends: (End & { readonly client: number })[] = [];
  for (const [client, claim] of claims) {
    const end = endBefore(store.clients.get(client) ?? [], Math.min(claim, Y.getState(store, client)));
    if (end) ends.push({ client, ...end });
  }
  const lowered = Y.decodeStateVector(stateVector);
  let total = 0;
  for (const { client, clock, bytes } of ends.toSorted((a, b) => a.bytes - b.bytes)) {
    total += bytes;
    if (total > MAX_TOTAL_BYTES) break;
    lowered.set(client, clock);
  }
  return Y.encodeStateVector(lowered);
}

interface End {
  /** Of its first element. */
  readonly clock: number;
  /** About what it costs to send it. */
  readonly bytes: number;
}

/** The last elements before a clock; null where there are none to compare. */
function endBefore(structs: (Y.Item | Y.GC)[], end: number): End | null {
  if (end === 0) return null;
  let known: End | null = null;
  let [bytes, elements] = [0, 0];
  for (let index = Y.findIndexSS(structs, end - 1); elements < ELEMENTS; index--) {
    const struct = structs[index];
    if (!struct) break;
    const { clock } = struct.id;
    const to = Math.min(end, clock + struct.length);
    const isLive = struct instanceof Y.Item && !struct.deleted;
    const tail = isLive ? tailOf(struct, to, ELEMENTS - elements) : { clock, bytes: to - clock };
    bytes += HEAD_BYTES + tail.bytes;
    // Behind so much that is deleted nothing is looked for, either.
    if (bytes > ENOUGH_BYTES && (elements > 0 || !isLive)) break;
    if (isLive) elements += to - tail.clock;
    if (struct instanceof Y.Item) known = { clock: tail.clock, bytes };
  }
  return known;
}

/** The last elements of an item before a clock. */
function tailOf({ id, content }: Y.Item, end: number, max: number): End {
  const first = Math.max(id.clock, end - max);
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
    let [clock, bytes] = [end, 0];
    while (clock > first && bytes <= ENOUGH_BYTES) bytes += valueBytes(content.arr[--clock - id.clock]);
    return { clock, bytes };
  }
  if (content instanceof Y.ContentBinary) return { clock: first, bytes: content.content.byteLength };
  if (content instanceof Y.ContentEmbed) return { clock: first, bytes: valueBytes(content.embed) };
  if (content instanceof Y.ContentFormat) return { clock: first, bytes: valueBytes(content.value) };
  return { clock: first, bytes: end - first };
}

/** Of values that are in a document and stay as they are: a large one is not measured at every reconnect. */
const measured = new WeakMap<object, number>();

/** About what a value takes in an update. */
function valueBytes(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = measured.get(value);
  if (bytes === undefined) {
    bytes = 8;
    // By and by: a hostile one may be nested deeper than the stack is.
    const rest = Object.entries(value);
    for (let entry = rest.pop(); entry; entry = rest.pop()) {
      const [key, inner] = entry as [string, unknown];
      bytes += key.length;
      if (typeof inner === "object" && inner !== null && !(inner instanceof Uint8Array)) {
        for (const next of Object.entries(inner)) rest.push(next);
      } else bytes += valueBytes(inner);
    }
    measured.set(value, bytes);
  }
  return bytes;
}
