/**
 * Every update of a run, made by real Yjs documents and encoded before the first connection opens: making one costs
 * several times what sending it does, and the generator must not be what is measured.
 *
 * Update `sequence` belongs to room `sequence % rooms`; within a room its writers take turns. So consecutive updates
 * go to different rooms, all connections write equally often, and which update an acknowledgement belongs to follows
 * from its position: the n-th ack of a connection is for its n-th update.
 */
import * as Y from "yjs";
import { writeMarker } from "./marker.ts";
import type { Protocol } from "./wire.ts";

/** Each writer edits this many tasks in turn; overwriting a key also exercises delete sets. */
const TASKS_PER_WRITER = 8;

export interface Shape {
  rooms: number;
  connectionsPerRoom: number;
}

export interface Workload extends Shape {
  /** Wire messages in sending order. */
  messages: Uint8Array[];
}

export function roomName(room: number): string {
  return `bench-${String(room).padStart(4, "0")}`;
}

/** Connections are numbered room by room. */
export function writerOf(shape: Shape, sequence: number): number {
  const writer = Math.floor(sequence / shape.rooms) % shape.connectionsPerRoom;
  return (sequence % shape.rooms) * shape.connectionsPerRoom + writer;
}

/** The sequence of the n-th update (from 0) of this connection. */
export function sequenceOf(shape: Shape, connection: number, n: number): number {
  const room = Math.floor(connection / shape.connectionsPerRoom);
  const writer = connection % shape.connectionsPerRoom;
  return (n * shape.connectionsPerRoom + writer) * shape.rooms + room;
}

export function createWorkload(shape: Shape, protocol: Protocol, updates: number): Workload {
  const connections = shape.rooms * shape.connectionsPerRoom;
  const messages: Uint8Array[] = Array.from({ length: updates });
  for (let connection = 0; connection < connections; connection += 1) {
    const room = roomName(Math.floor(connection / shape.connectionsPerRoom));
    const edit = createWriter(`w${connection % shape.connectionsPerRoom}`);
    for (let n = 0, sequence = sequenceOf(shape, connection, 0); sequence < updates; n += 1) {
      messages[sequence] = protocol.update(room, edit(n, writeMarker(sequence)));
      sequence = sequenceOf(shape, connection, n + 1);
    }
  }
  return { ...shape, messages };
}

/**
 * A writer types at the end of its own passage of the room's text and edits its own tasks, in turns. It never sees
 * the others: keys are its own, because values set on one key by writers who do not know each other pile up as
 * conflicts whose cost would grow with the length of the run.
 */
function createWriter(name: string): (n: number, marker: string) => Uint8Array {
  const document = new Y.Doc();
  const notes = document.getText("notes");
  const tasks = document.getMap("tasks");
  let update: Uint8Array = new Uint8Array();
  document.on("update", (made: Uint8Array) => {
    update = made;
  });
  return (n, marker) => {
    if (n % 2 === 0) {
      notes.insert(notes.length, `${marker} `);
    } else {
      const id = `${name}-${n % TASKS_PER_WRITER}`;
      tasks.set(id, { title: `Task ${marker}`, done: n % 4 === 1 });
    }
    return update;
  };
}
