/** What was written and deleted, what its authors were told of it, and what was missing when somebody looked. */

/** A line in a room's list: its text is its key, unique in the run. */
export interface Line {
  readonly room: string;
  readonly text: string;
  isSaved: boolean;
  deletion: "none" | "sent" | "saved";
}

export interface Edit {
  readonly line: Line;
  readonly isDeletion: boolean;
  readonly sentAt: number;
}

export interface RoomTally {
  readonly room: string;
  /** Lines and deletions of lines. */
  readonly sent: number;
  readonly acknowledged: number;
  /** Of the acknowledged, by the last look. */
  readonly found: number;
  readonly lost: number;
}

interface Room {
  readonly lines: Map<string, Line>;
  readonly lost: Set<string>;
  sent: number;
  acknowledged: number;
  found: number;
}

export class Ledger {
  readonly #rooms: ReadonlyMap<string, Room>;
  #lastAckAt = performance.now();
  longestWithoutAckMs = 0;
  slowestAckMs = 0;

  constructor(rooms: readonly string[]) {
    const empty = (): Room => ({ lines: new Map(), lost: new Set(), sent: 0, acknowledged: 0, found: 0 });
    this.#rooms = new Map(rooms.map((room) => [room, empty()]));
  }

  get rooms(): string[] {
    return [...this.#rooms.keys()];
  }

  get acknowledged(): number {
    return this.tallies().reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** `room/line` of what was promised and was not there. */
  get lost(): string[] {
    return [...this.#rooms].flatMap(([room, { lost }]) => [...lost].map((what) => `${room}/${what}`));
  }

  write(room: string, text: string): Edit {
    const line: Line = { room, text, isSaved: false, deletion: "none" };
    this.#room(room).lines.set(text, line);
    return this.#send({ line, isDeletion: false });
  }

  delete(line: Line): Edit {
    line.deletion = "sent";
    return this.#send({ line, isDeletion: true });
  }

  acknowledge({ line, isDeletion, sentAt }: Edit): void {
    const now = performance.now();
    if (isDeletion) line.deletion = "saved";
    else line.isSaved = true;
    this.#room(line.room).acknowledged++;
    this.slowestAckMs = Math.max(this.slowestAckMs, now - sentAt);
    this.longestWithoutAckMs = Math.max(this.longestWithoutAckMs, now - this.#lastAckAt);
    this.#lastAckAt = now;
  }

  /** Nobody writes, so nothing is to be acknowledged until now. */
  resume(): void {
    this.#lastAckAt = performance.now();
  }

  /** Holds what somebody has of a room against what was promised. `who` is for the message about a loss. */
  verify(
    room: string,
    { who, content }: { readonly who: string; readonly content: readonly string[] },
  ): void {
    const there = new Set(content);
    const { lines, lost } = this.#room(room);
    if (there.size < content.length)
      lost.add(`${content.length - there.size} lines are there twice (${who})`);
    let found = 0;
    for (const { text, isSaved, deletion } of lines.values()) {
      const isThere = there.has(text);
      if (isSaved && deletion === "none" && !isThere) lost.add(`${text} (${who})`);
      else if (deletion === "saved" && isThere) lost.add(`the deletion of ${text} (${who})`);
      else found += Number(isSaved) + Number(deletion === "saved");
    }
    this.#room(room).found = found;
  }

  tallies(): RoomTally[] {
    return [...this.#rooms].map(([room, { lost, sent, acknowledged, found }]) => ({
      room,
      sent,
      acknowledged,
      found,
      lost: lost.size,
    }));
  }

  #send(edit: Pick<Edit, "line" | "isDeletion">): Edit {
    this.#room(edit.line.room).sent++;
    return { ...edit, sentAt: performance.now() };
  }

  #room(name: string): Room {
    const room = this.#rooms.get(name);
    if (!room) throw new Error(`No room ${name}`);
    return room;
  }
}
