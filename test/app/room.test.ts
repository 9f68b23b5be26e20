/** The room that a team copies, without a browser: a token function that is late, or fails. */
import { setImmediate } from "node:timers/promises";
import jwt from "jsonwebtoken";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Doc } from "yjs";
import { rightsTiming } from "../../auth/rights-timing.ts";
import { jwtSecret } from "../support/backend.ts";
import { startComposition } from "../support/composition.ts";
import { until } from "../support/until.ts";

/** What is used of it here. Its own types are the browser's, and those of the tests are Node's. */
interface Room {
  readonly document: Doc;
  readonly state: () => { readonly status: { readonly kind: string } };
  readonly subscribe: (listener: () => void) => () => void;
  readonly close: () => void;
}

test("[W7] while a fresh token cannot be had, whoever is inside stays there, and the status says so", async () => {
  const timing = { ...rightsTiming, sweepMs: 20 };
  const server = await startComposition({ JWT_SECRET: jwtSecret, JWT_DEFAULT_ACCESS: "write" }, [], {
    timing,
  });
  let calls = 0;
  const { room, kinds } = await openRoom(server.url, async () => {
    calls++;
    if (calls === 2) throw new Error("The backend is away");
    // The server asks at half of its time, and again at half of the rest if that is more than 5 s.
    return tokenFor(calls === 1 ? 12 : 3600);
  });
  const isRenewed = () => server.log.events("renewed").length > 0;
  await until("a renewal after one that failed", isRenewed, { timeoutMs: 15_000 });
  expect(calls).toBe(3);
  room.document.getText("text").insert(0, "still here");
  await until("saved", () => room.state().status.kind === "saved");
  expect(new Set(kinds)).toEqual(new Set(["connecting", "saving", "saved"]));
});

test("[W3] a token that arrives when its connection has gone is not used for the next one", async () => {
  const server = await startComposition({ JWT_SECRET: jwtSecret, JWT_DEFAULT_ACCESS: "write" });
  const answers: ((token: string) => void)[] = [];
  const { room, heard } = await openRoom(
    server.url,
    () => new Promise((resolve) => void answers.push(resolve)),
  );
  await until("the first question", () => answers.length === 1);
  heard("online");
  await until("that of the connection after it", () => answers.length === 2);
  answers[1]?.(tokenFor(3600));
  await until("saved", () => room.state().status.kind === "saved");
  // One that has ended meanwhile: used, it would put them out.
  answers[0]?.(tokenFor(-60));
  for (const barrier of ["one", "two"]) {
    await setImmediate();
    room.document.getText("text").insert(0, barrier);
    await until("saved, or out", () => room.state().status.kind !== "saving");
  }
  expect(room.state().status.kind).toBe("saved");
});

async function openRoom(url: string, token: () => Promise<string>) {
  const listeners = new Map<string, () => void>();
  vi.stubGlobal("addEventListener", (event: string, listener: () => void) => listeners.set(event, listener));
  const module: string = new URL("../../examples/frontend/src/collab/room.ts", import.meta.url).href;
  const { Room } = (await import(module)) as { Room: new (options: object) => Room };
  const room = new Room({ url, room: "room", userId: "ana", token });
  onTestFinished(() => {
    room.close();
    vi.unstubAllGlobals();
  });
  const kinds = [room.state().status.kind];
  room.subscribe(() => kinds.push(room.state().status.kind));
  return { room, kinds, heard: (event: string) => listeners.get(event)?.() };
}

function tokenFor(seconds: number): string {
  return jwt.sign({ sub: "ana", name: "Ana" }, jwtSecret, { expiresIn: seconds });
}
