/** Somebody with an empty document who asks a server for a room. */
import { HocuspocusProvider } from "@hocuspocus/provider";

/**
 * Resolves with what `use` makes of the room's map, once all of it has arrived.
 * @throws the signal's reason when it fires first.
 */
export async function readRoom<T>(
  {
    url,
    room,
    root = "tasks",
    signal,
  }: { readonly url: string; readonly room: string; readonly root?: string; readonly signal: AbortSignal },
  use: (content: { get(key: string): unknown }) => T,
): Promise<T> {
  signal.throwIfAborted();
  const provider = new HocuspocusProvider({ url, name: room, token: "guest" });
  try {
    await new Promise<void>((resolve, reject) => {
      provider.on("synced", () => resolve());
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    return use(provider.document.getMap(root));
  } finally {
    provider.destroy();
    provider.document.destroy();
  }
}
