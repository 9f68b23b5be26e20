/**
 * TCP connections that are no WebSockets: health checks, scrapers, the backend, a handful of them. Without a bound, keep-alive connections of one
 * address take all file descriptors, and neither clients nor the store get any more.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { addressGroup } from "../limits/address-group.ts";

/** A hundred times what an operator has; a fortieth of the usual 20,000 file descriptors. */
const MAX_PLAIN_CONNECTIONS = 500;
/** Younger ones may be WebSockets in a moment: thousands come back at once after a restart, and say what they want in the next turn. */
const YOUNG_MS = 2000;

export function boundPlainConnections(httpServer: Server): void {
  /** By address, the oldest first, with the time of their opening, ms. */
  const connections = new Map<string, Map<Socket, number>>();
  let count = 0;

  /** A socket that is closed has no address any more. */
  const addressOf = new WeakMap<object, string>();

  const forget = (socket: Socket): void => {
    const address = addressOf.get(socket) ?? "";
    const ofAddress = connections.get(address);
    if (!ofAddress?.delete(socket)) return;
    count--;
    addressOf.delete(socket);
    if (ofAddress.size === 0) connections.delete(address);
  };

  function onClose(this: Socket): void {
    forget(this);
  }

  /** The oldest of the address that has the most. */
  const closeOne = (now: number): boolean => {
    const [crowd] = [...connections.values()].toSorted((a, b) => b.size - a.size);
    const [oldest] = crowd ?? [];
    if (!oldest || now - oldest[1] < YOUNG_MS) return false;
    const [socket] = oldest;
    forget(socket);
    socket.destroy();
    return true;
  };

  httpServer.on("connection", (socket: Socket) => {
    const now = performance.now();
    const address = addressGroup(socket.remoteAddress ?? "");
    const ofAddress = connections.get(address) ?? new Map<Socket, number>();
    connections.set(address, ofAddress.set(socket, now));
    count++;
    addressOf.set(socket, address);
    socket.on("close", onClose);
    for (let surplus = count - MAX_PLAIN_CONNECTIONS; surplus > 0 && closeOne(now); surplus--);
  });
  httpServer.on("upgrade", ({ socket }) => {
    socket.off("close", onClose);
    forget(socket);
  });
}
