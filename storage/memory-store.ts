import { mergeState } from "./merge-state.ts";
import type { Store } from "./store.ts";

interface Room {
  snapshot: Uint8Array | null;
  updates: Uint8Array[];
}

/** Rooms in memory, for tests and demos: nothing survives the process. Rooms that left memory above it are kept, as in a file. */
export function openMemoryStore(): Store {
  const rooms = new Map<string, Room>();

  const roomNamed = (name: string): Room => {
    const room = rooms.get(name) ?? { snapshot: null, updates: [] };
    rooms.set(name, room);
    return room;
  };

  return {
    load: async (name) => {
      const room = rooms.get(name);
      return { snapshot: room?.snapshot ?? null, updates: [...(room?.updates ?? [])] };
    },
    append: async (entries) => {
      for (const { room, update } of entries) roomNamed(room).updates.push(update);
    },
    compact: async (name) => {
      const room = rooms.get(name);
      if (!room || room.updates.length === 0) return { rows: 0, bytes: room?.snapshot?.byteLength ?? 0 };
      const rowCount = room.updates.length;
      const state = mergeState(room);
      rooms.set(name, { snapshot: state, updates: [] });
      return { rows: rowCount, bytes: state.byteLength };
    },
    journaledRooms: async () =>
      [...rooms].filter(([, room]) => room.updates.length > 0).map(([name]) => name),
    check: async () => {},
    close: async () => {
      rooms.clear();
    },
  };
}
