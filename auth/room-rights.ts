import picomatch from "picomatch";
import type { Access } from "../lib/identity.ts";

/**
 * Access to `room` under a map of room names and globs. An exact name decides alone, so that `{"team/*": "write", "team/plan": "read"}`
 * can make an exception; among globs the strongest wins, whatever their order.
 */
export function accessIn(rights: Readonly<Record<string, Access>>, room: string): Access | "none" {
  if (Object.hasOwn(rights, room)) return rights[room] ?? "none";
  const matching = Object.keys(rights).filter((glob) =>
    picomatch.isMatch(room, glob, { dot: true, nonegate: true }),
  );
  if (matching.length === 0) return "none";
  return matching.some((glob) => rights[glob] === "write") ? "write" : "read";
}
