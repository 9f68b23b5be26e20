/**
 * A sequence number inside the text of every update, found again by searching bytes.
 *
 * Yjs stores text as plain UTF-8, so the number survives whatever a server does to an update on its way: stock
 * Hocuspocus merges all updates of one event loop turn into one message, and counting messages would then count too
 * few deliveries. Searching costs the generator a fraction of a microsecond; decoding the update would cost several.
 */

/** Three bytes that text of the bench does not contain otherwise, and that Yjs' small integers hardly ever form. */
const PREFIX = "~#~";
const PREFIX_BYTES = Buffer.from(PREFIX);
const DIGITS = 6;
const RADIX = 36;

/** Prefix and digits: a shorter rest of a message holds no further marker. */
const MARKER_LENGTH = PREFIX.length + DIGITS;

export function writeMarker(sequence: number): string {
  return PREFIX + sequence.toString(RADIX).padStart(DIGITS, "0");
}

/** How many updates this message carries. */
export function countMarkers(message: Buffer): number {
  let count = 0;
  for (let at = message.indexOf(PREFIX_BYTES); at !== -1; at = nextMarker(message, at)) count += 1;
  return count;
}

/** The sequence numbers of all updates in this message. */
export function readMarkers(message: Buffer): number[] {
  const sequences: number[] = [];
  for (let at = message.indexOf(PREFIX_BYTES); at !== -1; at = nextMarker(message, at)) {
    const start = at + PREFIX.length;
    sequences.push(Number.parseInt(message.toString("latin1", start, start + DIGITS), RADIX));
  }
  return sequences;
}

function nextMarker(message: Buffer, at: number): number {
  const from = at + MARKER_LENGTH;
  return from + MARKER_LENGTH > message.length ? -1 : message.indexOf(PREFIX_BYTES, from);
}
