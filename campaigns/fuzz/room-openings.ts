/** Many rooms opened, edited and left again, and what the server's memory says afterwards. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { evaluate, measureMemory, type Memory } from "../../bench/inspector.ts";
import { protocols } from "../../bench/wire.ts";
import { ServerChild } from "../server-child.ts";

const wire = protocols.hocuspocus;
const ROOMS_PER_SOCKET = 50;
const SOCKETS = 4;
/** Before the first look, so that caches, code and pools are there already. */
const WARM_UP_ROOMS = 2000;
const ROOM_GONE_PATIENCE_MS = 20_000;
/** Looks at the memory until one finds hardly less than the one before. */
const SETTLED = 0.99;
const MOST_LOOKS = 20;

export interface LeakReport {
  readonly rooms: number;
  readonly heapBytesBefore: number;
  readonly heapBytesAfter: number;
  readonly timersBefore: number;
  readonly timersAfter: number;
}

/** @throws when a room is not let in, or rooms stay. */
export async function openRooms(count: number, onProgress: (opened: number) => void): Promise<LeakReport> {
  const server = new ServerChild("server.ts", {
    DATABASE_URL: "memory:",
    ROOM_IDLE_SECONDS: "0",
    NODE_OPTIONS: "--inspect=127.0.0.1:0",
  });
  try {
    const url = await server.listening;
    const inspectorUrl = /ws:\/\/127\.0\.0\.1:\d+\/\S+/.exec(server.output)?.[0];
    if (!inspectorUrl) throw new Error(`No inspector\n${server.output}`);
    const look = async (): Promise<{ heap: number; timers: number }> => {
      await roomsGone(url);
      const heapBytes = await settledHeap(() => measureMemory({ pid: server.pid, inspectorUrl }));
      const timers = await evaluate(
        inspectorUrl,
        "process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length",
      );
      return { heap: heapBytes, timers: Number(timers) };
    };
    await open(url, { from: 0, count: WARM_UP_ROOMS });
    const before = await look();
    for (let opened = 0; opened < count; opened += WARM_UP_ROOMS) {
      await open(url, { from: WARM_UP_ROOMS + opened, count: Math.min(WARM_UP_ROOMS, count - opened) });
      onProgress(Math.min(opened + WARM_UP_ROOMS, count));
    }
    const after = await look();
    return {
      rooms: count,
      heapBytesBefore: before.heap,
      heapBytesAfter: after.heap,
      timersBefore: before.timers,
      timersAfter: after.timers,
    };
  } finally {
    server.signal("SIGKILL");
  }
}

async function open(url: string, { from, count }: { from: number; count: number }): Promise<void> {
  const rooms = Array.from({ length: count }, (_, index) => `room-${from + index}`);
  await Promise.all(
    Array.from({ length: SOCKETS }, async () => {
      while (rooms.length > 0) await visit(url, rooms.splice(0, ROOMS_PER_SOCKET));
    }),
  );
}

/** One socket in all these rooms, with an edit in each. */
async function visit(url: string, rooms: readonly string[]): Promise<void> {
  const socket = new WebSocket(url);
  await once(socket, "open");
  const doc = new Y.Doc();
  doc.getMap("tasks").set("task", "done");
  const update = Y.encodeStateAsUpdate(doc);
  let saved = 0;
  const all = Promise.withResolvers<void>();
  socket.on("message", (data: Buffer) => {
    const kind = wire.kind(data);
    if (kind === "refused") all.reject(new Error("A room was refused"));
    if (kind === "saved" && ++saved === rooms.length) all.resolve();
  });
  socket.on("close", (code) => all.reject(new Error(`Closed with ${code}`)));
  for (const room of rooms) {
    socket.send(wire.opening(room));
    socket.send(wire.update(room, update));
  }
  await all.promise;
  socket.close();
  await once(socket, "close");
}

/** Rooms that are gone are merged one after the other, and take a little memory until it is their turn. */
async function settledHeap(measure: () => Promise<Memory>): Promise<number> {
  let { heapBytes } = await measure();
  for (let look = 0; look < MOST_LOOKS; look++) {
    const { heapBytes: now } = await measure();
    if (now > heapBytes * SETTLED) return now;
    heapBytes = now;
  }
  return heapBytes;
}

async function roomsGone(url: string): Promise<void> {
  const deadline = performance.now() + ROOM_GONE_PATIENCE_MS;
  for (;;) {
    const { rooms } = (await (await fetch(url.replace(/^ws/, "http"))).json()) as { rooms: number };
    if (rooms === 0) return;
    if (performance.now() > deadline) throw new Error(`${rooms} rooms are still there`);
    await delay(100);
  }
}
