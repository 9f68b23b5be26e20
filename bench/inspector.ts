/**
 * Memory of another Node process after a forced collection, through its inspector: garbage waiting to be collected
 * would otherwise be most of the difference. Works with any server, none has to help.
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { type RawData, WebSocket } from "ws";
import { rssBytes } from "./proc.ts";

/** V8 gives freed pages back in the background. */
const SETTLE_MS = 1_000;

export interface Memory {
  rssBytes: number;
  heapBytes: number;
}

interface Reply {
  id?: number;
  result?: { result?: { value?: unknown } };
}

export async function measureMemory({
  pid,
  inspectorUrl,
}: {
  pid: number;
  inspectorUrl: string;
}): Promise<Memory> {
  const socket = new WebSocket(inspectorUrl);
  await once(socket, "open");
  await call(socket, 1, "HeapProfiler.collectGarbage", {});
  await call(socket, 2, "HeapProfiler.collectGarbage", {});
  await delay(SETTLE_MS);
  const reply = await call(socket, 3, "Runtime.evaluate", { expression: "process.memoryUsage().heapUsed" });
  socket.close();
  return { rssBytes: rssBytes(pid), heapBytes: Number(reply.result?.result?.value) };
}

/** Runs an expression in the server, e.g. to watch its event loop from inside. Returns its value, if that is a plain one. */
export async function evaluate(inspectorUrl: string, expression: string): Promise<unknown> {
  const socket = new WebSocket(inspectorUrl);
  await once(socket, "open");
  const reply = await call(socket, 1, "Runtime.evaluate", { expression });
  socket.close();
  return reply.result?.result?.value;
}

async function call(
  socket: WebSocket,
  id: number,
  method: string,
  params: Record<string, string>,
): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const listen = (data: RawData): void => {
    if (!Buffer.isBuffer(data)) return;
    const reply: Reply = JSON.parse(data.toString());
    // Events of the inspector come in between and carry no id.
    if (reply.id === id) resolve(reply);
  };
  socket.on("message", listen);
  socket.send(JSON.stringify({ id, method, params }));
  const reply = await promise;
  socket.off("message", listen);
  return reply;
}
