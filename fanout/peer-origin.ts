/** The origin of what came by Redis, for Yjs transactions and awareness events: Hocuspocus' own, with the name of who said it. */
import type { RedisTransactionOrigin } from "@hocuspocus/server";

export interface PeerOrigin extends RedisTransactionOrigin {
  readonly instance: string;
  /** Of an edit: it and all that it needs are committed when its instance has committed so many (`JournalProgress`). Where it is not known: undefined. */
  readonly number?: number | undefined;
  /** What has waited in the document for it, and may be of anybody, comes into it in the same step. */
  readonly isMixed?: boolean | undefined;
}

export function peerOrigin(instance: string, edit: Pick<PeerOrigin, "number" | "isMixed"> = {}): PeerOrigin {
  return { source: "redis", instance, ...edit };
}

/** The instance that an edit or a presence state came from; null where it was made here. */
export function peerOf(origin: unknown): string | null {
  return isPeerOrigin(origin) ? origin.instance : null;
}

export function isPeerOrigin(origin: unknown): origin is PeerOrigin {
  if (typeof origin !== "object" || origin === null) return false;
  const { source, instance } = origin as Partial<PeerOrigin>;
  return source === "redis" && instance !== undefined;
}
