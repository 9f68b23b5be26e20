/** The origin of what came by Redis, for Yjs transactions and awareness events: Hocuspocus' own, with the name of who said it. */
import type { RedisTransactionOrigin } from "@hocuspocus/server";

export interface PeerOrigin extends RedisTransactionOrigin {
  readonly instance: string;
}

export function peerOrigin(instance: string): PeerOrigin {
  return { source: "redis", instance };
}

/** The instance that an edit or a presence state came from; null where it was made here. */
export function peerOf(origin: unknown): string | null {
  if (typeof origin !== "object" || origin === null) return null;
  const { source, instance } = origin as Partial<PeerOrigin>;
  return source === "redis" && instance !== undefined ? instance : null;
}
