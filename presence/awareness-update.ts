/** Awareness updates as y-protocols (1.0) writes them, read without looking into any state: that is for those that count. */
import * as decoding from "lib0/decoding";
import { closeReasons } from "../lib/close-reasons.ts";
import { Refusal } from "../lib/refusal.ts";

/**
 * A provider that wakes up takes everybody for gone, and says so in one message: an entry for each person in the room, who are a thousand
 * unless MAX_CONNECTIONS_PER_ROOM says more. Reading this many takes half a millisecond, whatever they say.
 */
const MAX_ENTRIES = 10_000;

/** An entry is a range of the update: most of a long one are of somebody else, and none of those is worth a copy. */
export interface AwarenessEntry {
  readonly client: number;
  readonly clock: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The entries in their order.
 * @throws Error when it does not decode, Refusal when it has too many entries.
 */
export function readAwarenessUpdate(update: Uint8Array): readonly AwarenessEntry[] {
  const decoder = decoding.createDecoder(update);
  const count = decoding.readVarUint(decoder);
  if (count > MAX_ENTRIES)
    throw new Refusal(closeReasons.awarenessTooBig, `${count} entries in one awareness update`);
  const entries: AwarenessEntry[] = [];
  for (let i = 0; i < count; i++) {
    const client = decoding.readVarUint(decoder);
    const clock = decoding.readVarUint(decoder);
    const bytes = decoding.readVarUint(decoder);
    const start = decoder.pos;
    decoder.pos += bytes;
    if (decoder.pos > update.byteLength) throw new Error("An awareness update that is cut off");
    entries.push({ client, clock, start, end: decoder.pos });
  }
  return entries;
}

/** Whether the entry says that its client is gone. */
export function isRemoval(update: Uint8Array, { start, end }: AwarenessEntry): boolean {
  // "null" is the only JSON value of an n and four bytes.
  return end - start === 4 && update[start] === 0x6e;
}
