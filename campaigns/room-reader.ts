/** Somebody with an empty document who asks a server for a room. */
import { HocuspocusProvider } from "@hocuspocus/provider";
import type * as Y from "yjs";

/**
 * Resolves with what `use` makes of the room's document, once all of it has arrived.
 * @throws the signal's reason when it fires first.
 */
export async function readRoom<T>(
  { url, room, signal }: { readonly url: string; readonly room: string; readonly signal: AbortSignal },
  use: (document: Y.Doc) => T,
): Promise<T> {
  signal.throwIfAborted();
  const provider = new HocuspocusProvider({ url, name: room, token: "guest" });
  try {
    await new Promise<void>((resolve, reject) => {
      provider.on("synced", () => resolve());
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    return use(provider.document);
  } finally {
    provider.destroy();
    provider.document.destroy();
  }
}
