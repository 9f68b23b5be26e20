import { randomUUID } from "node:crypto";
import { checksum, sortRows, type JournalRow } from "./journal-rows.ts";
import { mergeState } from "./merge-state.ts";
import type { Store } from "./store.ts";

interface Room {
  snapshot: Uint8Array | null;
  rows: JournalRow[];
}

/** Rooms in memory, for tests and demos: nothing survives the process. Rooms that left memory above it are kept, as in a file. */
export function openMemoryStore(): Store {
  const rooms = new Map<string, Room>();
  const identity = randomUUID();
  let lastSeq = 0;

  const roomNamed = (name: string): Room => {
    const room = rooms.get(name) ?? { snapshot: null, rows: [] };
    rooms.set(name, room);
    return room;
  };

  return {
    load: async (name) => {
      const { snapshot, rows } = rooms.get(name) ?? { snapshot: null, rows: [] };
      const { readable, unreadable } = sortRows(rows);
      const aside = new Set(unreadable.map(({ seq }) => seq));
      if (aside.size > 0) rooms.set(name, { snapshot, rows: rows.filter(({ seq }) => !aside.has(seq)) });
      return { snapshot, updates: readable, unreadable };
    },
    append: async (entries) => {
      for (const { room, update } of entries) {
        roomNamed(room).rows.push({ seq: ++lastSeq, data: update, sum: checksum(update) });
      }
    },
    compact: async (name) => {
      const room = rooms.get(name);
      if (!room || room.rows.length === 0) {
        return { rows: 0, bytes: room?.snapshot?.byteLength ?? 0, unreadable: [] };
      }
      const { readable, unreadable } = sortRows(room.rows);
      const state = mergeState({ snapshot: room.snapshot, updates: readable });
      rooms.set(name, { snapshot: state, rows: [] });
      return { rows: readable.length, bytes: state.byteLength, unreadable };
    },
    journaledRooms: async () => [...rooms].filter(([, room]) => room.rows.length > 0).map(([name]) => name),
    identity: async () => identity,
    check: async () => {},
    close: async () => {
      rooms.clear();
    },
  };
}
