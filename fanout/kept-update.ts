/** One update of another instance that is kept here (`KeptUpdates`), and where in the document it is. */
import * as Y from "yjs";
import type { PeerOrigin } from "./peer-origin.ts";

/** For each client id the clock of the first element. */
export type Starts = ReadonlyMap<number, number>;

export class KeptUpdate {
  readonly update: Uint8Array;
  readonly origin: PeerOrigin;
  /** In own heartbeats that had come back. */
  readonly since: number;
  #starts: Starts | null = null;

  constructor(
    update: Uint8Array,
    { origin, since }: { readonly origin: PeerOrigin; readonly since: number },
  ) {
    this.update = update;
    this.origin = origin;
    this.since = since;
  }

  /** Read when somebody asks: only where somebody edits the room here as well. */
  get starts(): Starts {
    return (this.#starts ??= startsIn(this.update));
  }
}

function startsIn(update: Uint8Array): Starts {
  const starts = new Map<number, number>();
  for (const { id } of Y.decodeUpdate(update).structs)
    if (!starts.has(id.client)) starts.set(id.client, id.clock);
  return starts;
}
