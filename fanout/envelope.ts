/**
 * What goes over Redis, in the form of `@hocuspocus/extension-redis` (4.7), so that a stock Hocuspocus on the same prefix takes part:
 * one byte, as many bytes with the name of the instance that says it, and the message.
 */
import { randomUUID } from "node:crypto";

/** Names of instances of this server. What the others say of rooms is in their journals; what a stock one says is in nobody's. */
const MARK = "righttask-";

export interface Envelope {
  /** The instance that says it. */
  readonly from: string;
  readonly message: Uint8Array;
}

export function newInstanceId(): string {
  return `${MARK}${randomUUID()}`;
}

/** Whether it is an instance of this server, which shares our store. */
export function isOurs(instance: string): boolean {
  return instance.startsWith(MARK);
}

export function seal({ from, message }: Envelope): Buffer {
  const name = Buffer.from(from);
  return Buffer.concat([Uint8Array.of(name.byteLength), name, message]);
}

/** @throws Error when it is none: anybody may publish anything. */
export function unseal(payload: Buffer): Envelope {
  const end = 1 + (payload[0] ?? 0);
  if (end === 1 || payload.byteLength <= end) throw new Error("No envelope");
  return { from: payload.toString("utf8", 1, end), message: payload.subarray(end) };
}
