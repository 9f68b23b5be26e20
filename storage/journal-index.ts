/**
 * Which journal rows are whose, in the memory of one connection to a SQLite store. An index in the file would cost as much CPU as all the
 * rest of a row: a commit of 50 rows for 100 rooms changes about as many of its pages, and each of them goes through the log.
 *
 * It is caught up when a room is read, never by appends: those of a room that nobody reads again would heap up. Numbers are given to rows
 * under the write lock and never used again, so whatever was committed after a look, by any process, stands above it. (A row that an
 * operator puts in below, by hand, is seen after a restart; no compaction deletes it meanwhile.) Numbers of rows that are gone find
 * nothing, and go with the next read of their room or the next rebuild.
 */
import type Database from "better-sqlite3";
import { checksum } from "./journal-rows.ts";

/** Read at once: what catching up holds in memory beside the index. */
const ROWS_A_STEP = 10_000;
/** Numbers of rows that may be gone, beside as many as there were rows at the last rebuild: 8 bytes each. */
const STALE_ROWS_KEPT = 50_000;

/**
 * The column `sum` for who reads rows: one that nothing matches where the row's name is not what was written, because its content is then
 * somebody else's edit.
 */
export const SUM_OF_OWN_ROW = "iif(name_sum <> $nameSum, -1, sum) AS sum";

export interface JournalIndexOptions {
  /** Knows `checksum` (`defineChecksum`). */
  readonly db: Database.Database;
  /** What of a row is read, in SQL; `$nameSum` stands for the checksum of the room's name. */
  readonly columns: string;
  readonly staleRowsKept?: number;
}

interface RoomQuery {
  readonly room: string;
  readonly nameSum: number;
  readonly seqs: string;
}

export class JournalIndex<Row extends { readonly seq: number }> {
  readonly #seqs = new Map<string, number[]>();
  readonly #staleRowsKept: number;
  readonly #selectVersion: Database.Statement<[], number>;
  readonly #selectNames: Database.Statement<[number], [seq: number, name: string]>;
  readonly #selectRows: Database.Statement<RoomQuery, Row>;
  #size = 0;
  #sizeOnceRebuilt = 0;
  #lastSeq = 0;
  #version: number | undefined;

  constructor({ db, columns, staleRowsKept = STALE_ROWS_KEPT }: JournalIndexOptions) {
    this.#staleRowsKept = staleRowsKept;
    this.#selectVersion = db.prepare<[], number>("SELECT schema_version FROM pragma_schema_version").pluck();
    this.#selectNames = db
      .prepare<[number], [number, string]>(
        `SELECT seq, name FROM journal WHERE seq > ? ORDER BY seq LIMIT ${ROWS_A_STEP}`,
      )
      .raw();
    this.#selectRows = db.prepare(
      // The second way is for a name that a flipped bit has made no text: it reads as another, which equals it nowhere else.
      `SELECT ${columns} FROM journal WHERE seq IN (SELECT value FROM json_each($seqs))
         AND (name = $room OR checksum(name) = $nameSum) ORDER BY seq`,
    );
  }

  /** How many numbers it holds, of rows that are there or were. */
  get size(): number {
    return this.#size;
  }

  /** The room's rows, oldest first. To be called in a transaction, so that all of it is of one moment. */
  rowsOf(name: string): Row[] {
    this.#catchUp();
    // As SQLite has it, which knows no half surrogates.
    const room = name.toWellFormed();
    const seqs = this.#seqs.get(room);
    if (!seqs) return [];
    const rows = this.#selectRows.all({ room, nameSum: checksum(room), seqs: JSON.stringify(seqs) });
    if (rows.length < seqs.length)
      this.#put(
        room,
        rows.map(({ seq }) => seq),
      );
    return rows;
  }

  /** These rows of the room, and all before them, are gone. */
  forget(name: string, lastSeq: number): void {
    const room = name.toWellFormed();
    this.#put(
      room,
      (this.#seqs.get(room) ?? []).filter((seq) => seq > lastSeq),
    );
  }

  #catchUp(): void {
    // VACUUM and SQLite's own restore change it: what is in the file now may have other rows under the same numbers.
    const version = this.#selectVersion.get();
    if (version !== this.#version) this.#clear();
    this.#version = version;
    this.#readNames();
    if (this.#size <= 2 * this.#sizeOnceRebuilt + this.#staleRowsKept) return;
    this.#clear();
    this.#readNames();
    this.#sizeOnceRebuilt = this.#size;
  }

  #readNames(): void {
    let names;
    do {
      names = this.#selectNames.all(this.#lastSeq);
      for (const [seq, name] of names) {
        const seqs = this.#seqs.get(name);
        if (seqs) seqs.push(seq);
        else this.#seqs.set(name, [seq]);
        this.#size++;
        this.#lastSeq = seq;
      }
    } while (names.length === ROWS_A_STEP);
  }

  #put(room: string, seqs: number[]): void {
    this.#size += seqs.length - (this.#seqs.get(room)?.length ?? 0);
    if (seqs.length > 0) this.#seqs.set(room, seqs);
    else this.#seqs.delete(room);
  }

  #clear(): void {
    this.#seqs.clear();
    this.#size = 0;
    this.#lastSeq = 0;
  }
}
