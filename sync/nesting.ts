/**
 * How deeply shared types are nested. Yjs deletes and collects a type by recursion: 2,000 levels (24 kB) overflow the stack in the middle
 * of a transaction's end, and no update of that document is ever seen again. 1,000 levels were fine (Yjs 13.6, Node's default stack).
 */
import * as Y from "yjs";
import type { UpdateContents } from "./update-contents.ts";

/** Half of what was seen to work. A rich text has some tens, an outline that people read fewer than a hundred. */
export const MAX_NESTING = 500;

/** Whether applying the update would nest a shared type deeper than MAX_NESTING. */
export function nestsTooDeeply(document: Y.Doc, { structs }: UpdateContents): boolean {
  const types = structs.filter((struct): struct is Y.Item => isType(struct));
  if (types.length === 0) return false;
  const depths = new Map<Y.Item, number>();
  const items = new ItemLookup(document, structs);
  return types.some((item) => depthOf(item, { items, depths }) > MAX_NESTING);
}

/** Levels from the root to this item, which is at 1 itself. Each item is walked over once an update, however they refer to each other. */
function depthOf(
  item: Y.Item,
  { items, depths }: { readonly items: ItemLookup; readonly depths: Map<Y.Item, number> },
): number {
  const path: { readonly item: Y.Item; readonly levels: number }[] = [];
  let depth = 0;
  for (let at: Y.Item | null = item; at !== null;) {
    const known = depths.get(at);
    if (known !== undefined) {
      depth = known;
      break;
    }
    // Taken for a root if the walk comes back to it: a forged update may refer in a circle.
    depths.set(at, 0);
    const { next, levels } = items.above(at);
    path.push({ item: at, levels });
    at = next;
  }
  for (const step of path.toReversed()) depths.set(step.item, (depth += step.levels));
  return depth;
}

/** Items of an update that is not applied yet, and of the document. */
class ItemLookup {
  readonly #document: Y.Doc;
  readonly #fresh = new Map<number, Y.Item[]>();

  constructor(document: Y.Doc, structs: UpdateContents["structs"]) {
    this.#document = document;
    for (const struct of structs) {
      if (!(struct instanceof Y.Item)) continue;
      const items = this.#fresh.get(struct.id.client);
      if (items) items.push(struct);
      else this.#fresh.set(struct.id.client, [struct]);
    }
  }

  /** The item whose shared type this one is in, a level up, or a neighbour in the same type. */
  above(item: Y.Item): { readonly next: Y.Item | null; readonly levels: number } {
    const { parent } = item as { parent: unknown };
    if (parent instanceof Y.AbstractType) return { next: parent._item, levels: 1 };
    if (parent instanceof Y.ID) return { next: this.#find(parent), levels: 1 };
    if (typeof parent === "string") return { next: null, levels: 1 };
    // As Yjs does it: an item that says nothing of its parent is where its neighbour is.
    const neighbour = item.origin ?? item.rightOrigin;
    return { next: neighbour && this.#find(neighbour), levels: 0 };
  }

  #find({ client, clock }: Y.ID): Y.Item | null {
    const fresh = this.#fresh.get(client);
    if (fresh) {
      let [low, high] = [0, fresh.length - 1];
      while (low <= high) {
        const middle = (low + high) >> 1;
        const item = fresh[middle];
        if (!item) break;
        if (clock < item.id.clock) high = middle - 1;
        else if (clock >= item.id.clock + item.length) low = middle + 1;
        else return item;
      }
    }
    if (clock >= Y.getState(this.#document.store, client)) return null;
    const known = Y.getItem(this.#document.store, Y.createID(client, clock));
    return known instanceof Y.Item ? known : null;
  }
}

function isType(struct: UpdateContents["structs"][number]): struct is Y.Item {
  return struct instanceof Y.Item && struct.content instanceof Y.ContentType;
}
