/**
 * Whether what a client has under a client id and what the room has there is the same. Yjs takes whatever comes first under an id and a
 * clock for the truth and drops the rest without a word, so "it has all these clocks" does not mean "it has what was written".
 *
 * One history looks different in two documents: cut into other pieces, its deleted parts emptied in one of them. So elements are compared
 * one by one, and only by what both still have.
 */
import * as Y from "yjs";
import type { UpdateContents } from "./update-contents.ts";

/** Yjs puts U+FFFD for both halves of a character that an edit, or the beginning of an update, has cut in two. */
const HALF = "\uFFFD";

/** Elements of one client id in the room that the update has too. */
interface Shared {
  readonly theirs: Y.Item;
  readonly ours: Y.Item;
  /** Clocks. */
  readonly from: number;
  readonly to: number;
}

/**
 * The first element that the update and the document have under one number and that cannot be the same; null if there is none.
 * Takes as long as the update and what it shares with the document.
 */
export function findConflict({ store }: Y.Doc, { structs }: UpdateContents): Y.ID | null {
  let known: (Y.Item | Y.GC)[] = [];
  let client: number | null = null;
  let index = 0;
  for (const theirs of structs) {
    const { id } = theirs;
    if (id.client !== client) {
      client = id.client;
      known = store.clients.get(client) ?? [];
      index = id.clock < Y.getState(store, client) ? Y.findIndexSS(known, id.clock) : known.length;
    }
    const end = id.clock + theirs.length;
    for (let ours = known[index]; ours && ours.id.clock < end; ours = known[++index]) {
      const from = Math.max(id.clock, ours.id.clock);
      const to = Math.min(end, ours.id.clock + ours.length);
      if (from < to && theirs instanceof Y.Item && ours instanceof Y.Item) {
        if (!isSame({ theirs, ours, from, to })) return Y.createID(client, from);
      }
      // The rest of it belongs to what comes next.
      if (ours.id.clock + ours.length > end) break;
    }
  }
  return null;
}

/** Where an element stands never changes, whatever is deleted, split or merged later. */
function isSame(shared: Shared): boolean {
  const { theirs, ours, from } = shared;
  if (!Y.compareIDs(originAt(theirs, from), originAt(ours, from))) return false;
  if (!Y.compareIDs(theirs.rightOrigin, ours.rightOrigin)) return false;
  if (theirs.parent !== null && !isSameParent(theirs, ours)) return false;
  return ours.deleted || isEmptied(theirs) || hasSameContent(shared);
}

function originAt({ id, origin }: Y.Item, clock: number): Y.ID | null {
  return clock === id.clock ? origin : Y.createID(id.client, clock - 1);
}

/** An update says where an element is only if it has no neighbours to say it. */
function isSameParent(theirs: Y.Item, ours: Y.Item): boolean {
  const parent = theirs.parent as Y.ID | string;
  const type = ours.parent;
  if (!(type instanceof Y.AbstractType)) return true;
  const isSameType =
    typeof parent === "string"
      ? type._item === null && type.doc?.share.get(parent) === type
      : type._item !== null && Y.compareIDs(type._item.id, parent);
  return isSameType && theirs.parentSub === ours.parentSub;
}

function isEmptied({ content }: Y.Item): boolean {
  return content instanceof Y.ContentDeleted;
}

function hasSameContent({ theirs, ours, from, to }: Shared): boolean {
  const [left, right] = [theirs.content, ours.content];
  const [leftStart, rightStart] = [from - theirs.id.clock, from - ours.id.clock];
  const count = to - from;
  if (left instanceof Y.ContentString && right instanceof Y.ContentString)
    return isSameText(
      left.str.slice(leftStart, leftStart + count),
      right.str.slice(rightStart, rightStart + count),
    );
  if (isList(left) && isList(right)) {
    for (let at = 0; at < count; at++)
      if (!isSameValue(left.arr[leftStart + at], right.arr[rightStart + at])) return false;
    return true;
  }
  if (left instanceof Y.ContentFormat && right instanceof Y.ContentFormat)
    return left.key === right.key && isSameValue(left.value, right.value);
  if (left instanceof Y.ContentBinary && right instanceof Y.ContentBinary)
    return Buffer.compare(left.content, right.content) === 0;
  // Its elements have numbers of their own.
  if (left instanceof Y.ContentType && right instanceof Y.ContentType)
    return left.type.constructor === right.type.constructor;
  return left.getRef() === right.getRef();
}

function isList(content: Y.Item["content"]): content is Y.ContentAny | Y.ContentJSON {
  return content instanceof Y.ContentAny || content instanceof Y.ContentJSON;
}

function isSameText(left: string, right: string): boolean {
  if (left === right) return true;
  for (let at = 0; at < Math.max(left.length, right.length); at++)
    if (left[at] !== right[at] && left[at] !== HALF && right[at] !== HALF) return false;
  return true;
}

/**
 * Objects are taken for the same: pages hold those that they have put in, change them in place, and send what has become of them. Numbers
 * come as one kind or another by the library that wrote them.
 */
function isSameValue(left: unknown, right: unknown): boolean {
  if (typeof left === "object" && left !== null) return typeof right === "object" && right !== null;
  if (left === undefined || left === null) return right === undefined || right === null;
  if (typeof left === "string" || typeof right === "string") return left === right;
  // Not a difference either: zeros of either sign, and what is no number.
  return Object.is(Number(left) + 0, Number(right) + 0);
}
