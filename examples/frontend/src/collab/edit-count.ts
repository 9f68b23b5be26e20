/**
 * How many edits of this page are not saved yet, and how many of those are written to this device. Edits are numbered, and what is acknowledged or written is a
 * number up to which that holds: an ack that overtakes the writing, or the other way round, then changes nothing.
 */
export class EditCount {
  #made = 0;
  #kept = 0;
  #saved = 0;

  get unsaved(): number {
    return this.#made - this.#saved;
  }

  get unsavedKept(): number {
    return Math.max(0, this.#kept - this.#saved);
  }

  /** Edits of an earlier visit, which were written. */
  resume(unsaved: number): void {
    this.#made += unsaved;
    this.#kept += unsaved;
  }

  /** @returns the edit's number, for `kept` */
  made(): number {
    return ++this.#made;
  }

  kept(upTo: number): void {
    this.#kept = Math.max(this.#kept, upTo);
  }

  /** The server has acknowledged all that there is. @returns whether there was any */
  saved(): boolean {
    const hadUnsaved = this.unsaved > 0;
    this.#saved = this.#made;
    return hadUnsaved;
  }
}
