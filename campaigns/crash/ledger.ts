/** What was written, what the writers were told of it, and what readers found after a crash. */
import type { Fault } from "./round-plan.ts";

export interface Edit {
  readonly room: string;
  /** Unique in the whole run. */
  readonly key: string;
  readonly value: string;
  /** How its round ended. */
  readonly fault: Fault;
  acknowledged: boolean;
  found: boolean;
}

export interface Tally {
  sent: number;
  acknowledged: number;
  /** Of the acknowledged, by the last readers. */
  found: number;
  lost: number;
  unacknowledged: number;
  /** On disk although nobody was told: allowed, a crash can come between the two. */
  unacknowledgedFound: number;
}

/** Most edits are a line of text; each so-manieth is a paragraph. */
const PARAGRAPH_EVERY = 50;
const PARAGRAPH_REPEATS = 150;

export class Ledger {
  readonly #edits = new Map<string, Edit[]>();
  readonly #lost = new Set<Edit>();
  acknowledged = 0;
  #count = 0;

  constructor(rooms: readonly string[]) {
    for (const room of rooms) this.#edits.set(room, []);
  }

  get rooms(): string[] {
    return [...this.#edits.keys()];
  }

  /** `room/key` of what was promised and is gone. */
  get lost(): string[] {
    return [...this.#lost].map(({ room, key }) => `${room}/${key}`);
  }

  /** An edit on its way out. `author` is unique in the run. */
  write({ room, author, fault }: { room: string; author: string; fault: Fault }): Edit {
    const count = this.#count++;
    const key = `${author}.${count}`;
    const value = `${key} `.repeat(count % PARAGRAPH_EVERY === 0 ? PARAGRAPH_REPEATS : 1 + (count % 4));
    const edit: Edit = { room, key, value, fault, acknowledged: false, found: false };
    this.#edits.get(room)?.push(edit);
    return edit;
  }

  acknowledge(edit: Edit): void {
    edit.acknowledged = true;
    this.acknowledged++;
  }

  /**
   * Holds what a reader has, who knows the room only from the store, against what was promised. An edit without an ack that was there
   * once counts as promised from then on: it came from the disk. Returns how many are missing now.
   */
  verify(room: string, content: { get(key: string): unknown }): number {
    let missing = 0;
    for (const edit of this.#edits.get(room) ?? []) {
      const isThere = content.get(edit.key) === edit.value;
      if (!isThere && (edit.acknowledged || edit.found)) {
        this.#lost.add(edit);
        missing++;
      }
      edit.found = isThere;
    }
    return missing;
  }

  tally(fault: Fault): Tally {
    const tally: Tally = {
      sent: 0,
      acknowledged: 0,
      found: 0,
      lost: 0,
      unacknowledged: 0,
      unacknowledgedFound: 0,
    };
    for (const edit of [...this.#edits.values()].flat()) {
      if (edit.fault !== fault) continue;
      tally.sent++;
      if (this.#lost.has(edit)) tally.lost++;
      if (edit.acknowledged) {
        tally.acknowledged++;
        if (edit.found) tally.found++;
      } else {
        tally.unacknowledged++;
        if (edit.found) tally.unacknowledgedFound++;
      }
    }
    return tally;
  }
}
