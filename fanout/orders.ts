/** Orders of the backend on their way to the other instances. */
import { z } from "zod";
import type { Order } from "../auth/revocations.ts";
import { isOurs, seal, unseal } from "./envelope.ts";

const orderSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("revoke"), user: z.string(), before: z.int().exactOptional() }),
  z.object({ kind: z.literal("recheck"), user: z.string() }),
  z.object({ kind: z.literal("kick"), room: z.string(), user: z.string().exactOptional() }),
]);

export function sealOrder(from: string, order: Order): Buffer {
  return seal({ from, message: Buffer.from(JSON.stringify(order)) });
}

/** @throws Error when it is none of an instance of ours: one that is cut off must not put a whole room out. */
export function orderIn(payload: Buffer): { readonly from: string; readonly order: Order } {
  const { from, message } = unseal(payload);
  if (!isOurs(from)) throw new Error("An order of a stranger");
  return { from, order: orderSchema.parse(JSON.parse(Buffer.from(message).toString())) };
}
