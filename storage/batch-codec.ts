/**
 * Journal entries as one buffer. A batch then crosses to the worker as a single transferred block: cloning it as objects cost the
 * event loop several microseconds an update.
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { JournalEntry } from "./store.ts";

export function encodeBatch(entries: readonly JournalEntry[]): Uint8Array<ArrayBuffer> {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, entries.length);
  for (const { room, author, at, update } of entries) {
    encoding.writeVarString(encoder, room);
    encoding.writeVarString(encoder, author);
    encoding.writeVarUint(encoder, at);
    encoding.writeVarUint8Array(encoder, update);
  }
  return encoding.toUint8Array(encoder);
}

export function decodeBatch(batch: Uint8Array): JournalEntry[] {
  const decoder = decoding.createDecoder(batch);
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    room: decoding.readVarString(decoder),
    author: decoding.readVarString(decoder),
    at: decoding.readVarUint(decoder),
    update: decoding.readVarUint8Array(decoder),
  }));
}
