/**
 * `npm run bench:loop-delay`: how long the event loop stands still while a large room is edited, joined and stored. The room is loaded
 * before the watch begins: applying it once is what every Yjs server has to do.
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { exitOnSignals } from "../campaigns/command-line.ts";
import { storeLargeRooms } from "./large-document.ts";
import { readLoop, watchLoop } from "./loop-watch.ts";
import { startServer, type PeerName } from "./servers.ts";
import { protocols } from "./wire.ts";

const ROOM = "large";
const EDITS_PER_SECOND = 200;
const JOIN_EVERY_MS = 2_000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "40" },
    megabytes: { type: "string", default: "3.7,20" },
    only: { type: "string", default: "ours,stock" },
  },
});

exitOnSignals();
console.log(
  `${EDITS_PER_SECOND} edits/s and a joiner with nothing every ${JOIN_EVERY_MS / 1000} s, ${values.seconds} s\n`,
);
console.log("| room | server | loop delay p99 ms | max ms | joiners synced | edits saved |");
console.log("|---|---|---|---|---|---|");
for (const megabytes of values.megabytes.split(",").map(Number)) {
  for (const peer of values.only.split(",") as PeerName[]) {
    // One after the other, each alone on the machine.
    // oxlint-disable-next-line no-await-in-loop
    console.log(await measure(peer, { megabytes, seconds: Number(values.seconds) }));
  }
}
process.exit(0);

async function measure(
  peer: PeerName,
  { megabytes, seconds }: { megabytes: number; seconds: number },
): Promise<string> {
  await using directory = await mkdtempDisposable(join(tmpdir(), "righttask-bench-"));
  const database = join(directory.path, "bench.sqlite");
  const bytes = storeLargeRooms(database, { rooms: [ROOM], megabytes });
  const server = await startServer(peer, { database, redisUrl: null, isInspected: true });
  try {
    const editor = await enter(server.url);
    await editor.synced;
    await delay(2_000);
    await watchLoop(server.inspectorUrl);
    const joiners = { asked: 0, synced: 0 };
    const joining = setInterval(() => {
      joiners.asked += 1;
      void enter(server.url).then(async (joiner) => {
        await joiner.synced;
        joiners.synced += 1;
        joiner.close();
      });
    }, JOIN_EVERY_MS);
    const sent = await edit(editor, seconds);
    clearInterval(joining);
    await delay(1_000);
    const delays = await readLoop(server.inspectorUrl);
    const cells = [
      `${(bytes / 1e6).toFixed(1)} MB`,
      peer,
      delays.p99.toFixed(1),
      delays.max.toFixed(1),
      `${joiners.synced} of ${joiners.asked}`,
      `${editor.saved()} of ${sent}`,
    ];
    return `| ${cells.join(" | ")} |`;
  } finally {
    await server.stop();
  }
}

interface Member {
  synced: Promise<void>;
  saved: () => number;
  send: (update: Uint8Array) => void;
  close: () => void;
}

/** A member that decodes nothing: the generator shares the machine with the server. */
async function enter(url: string): Promise<Member> {
  const protocol = protocols.hocuspocus;
  const socket = new WebSocket(`${url}${protocol.path(ROOM)}`);
  const synced = Promise.withResolvers<void>();
  let saved = 0;
  socket.on("open", () => socket.send(protocol.opening(ROOM)));
  socket.on("message", (message: Buffer) => {
    const kind = protocol.kind(message);
    if (kind === "authenticated") socket.send(protocol.syncStep1(ROOM));
    if (kind === "synced") synced.resolve();
    if (kind === "saved") saved += 1;
    if (kind === "ping") socket.send(protocol.pong(ROOM));
  });
  return {
    synced: synced.promise,
    saved: () => saved,
    send: (update) => socket.send(protocol.update(ROOM, update)),
    close: () => socket.close(),
  };
}

/** Types into one title, as somebody does. Returns how many edits were sent. */
async function edit({ send }: Member, seconds: number): Promise<number> {
  const doc = new Y.Doc();
  const text = doc.getText("notes");
  doc.on("update", (update: Uint8Array) => send(update));
  let sent = 0;
  const startedAt = performance.now();
  while (performance.now() - startedAt < seconds * 1_000) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * EDITS_PER_SECOND);
    for (; sent < due; sent += 1) text.insert(text.length, "x");
    // oxlint-disable-next-line no-await-in-loop
    await delay(5);
  }
  return sent;
}
