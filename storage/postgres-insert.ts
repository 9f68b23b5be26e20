/** Journal entries as INSERT statements: one, unless they are too much for one. */
import { checksum } from "./journal-rows.ts";
import type { JournalEntry } from "./store.ts";

/**
 * What has gathered during a long outage goes in several statements of one transaction. Bytes travel as hexadecimal digits, and neither a
 * Postgres message nor a string in Node holds more than a gigabyte: in a single statement such a batch could never be saved at all. Small
 * enough that a slow line carries one within the statement timeout.
 */
const STATEMENT_BYTES = 4 * 1024 * 1024;

export interface InsertStatement {
  readonly sql: string;
  readonly values: unknown[];
}

/** In the order of the entries, which is the order of their numbers. None for no entries. */
export function insertStatements(entries: readonly JournalEntry[]): InsertStatement[] {
  const statements: InsertStatement[] = [];
  let from = 0;
  let bytes = 0;
  entries.forEach(({ update }, index) => {
    if (index > from && bytes + update.byteLength > STATEMENT_BYTES) {
      statements.push(insertStatement(entries.slice(from, index)));
      from = index;
      bytes = 0;
    }
    bytes += update.byteLength;
  });
  if (entries.length > from) statements.push(insertStatement(entries.slice(from)));
  return statements;
}

/** Text in Postgres holds every character but this one, and one author who has it in the name would make every append fail. */
export function storableText(text: string): string {
  return text.replaceAll("\0", "\uFFFD");
}

function insertStatement(entries: readonly JournalEntry[]): InsertStatement {
  return {
    sql: `INSERT INTO journal (name, data, at, author, sum)
      SELECT name, data, at, author, sum
      FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::bigint[])
        WITH ORDINALITY AS entry (name, data, at, author, sum, place)
      ORDER BY place`,
    values: [
      entries.map(({ room }) => room),
      entries.map(({ update }) => update),
      entries.map(({ at }) => at),
      entries.map(({ author }) => storableText(author)),
      entries.map(({ update }) => checksum(update)),
    ],
  };
}
