/**
 * Keeps an empty room for a while, so that a reload or a short loss of network costs no load.
 *
 * Hooks      onDisconnect
 * Promises   U1 a room unloads ROOM_IDLE_SECONDS after its last leave, not before
 *            U2 a rejoin at any moment reaches the live document
 *            U3 a rejoin starts the time anew
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";

export interface IdleUnloadOptions {
  readonly idleMs: number;
  /** Keeps a room in memory until the returned function is called; it then unloads if nobody is in it. */
  readonly hold: (room: string) => () => void;
}

export interface IdleUnload extends Extension<Identity> {
  /** Lets all waiting rooms go now. */
  expireAll(): void;
}

export function idleUnload({ idleMs, hold }: IdleUnloadOptions): IdleUnload {
  const waiting = new Map<string, () => void>();

  /** Ends the wait of a room, if there is one. */
  const expire = (room: string): void => {
    const release = waiting.get(room);
    waiting.delete(room);
    release?.();
  };

  return {
    extensionName: "idle-unload",

    // Hocuspocus awaits this before it thinks of unloading, so the hold is there in time. A rejoin needs no hook: a wait that runs out
    // while somebody is inside unloads nothing, and the next last leave starts a new one.
    async onDisconnect({ documentName, document }) {
      if (document.getConnectionsCount() > 0) return;
      // The new hold before the old one goes, or the room would unload in between.
      const release = hold(documentName);
      expire(documentName);
      const timer = setTimeout(() => expire(documentName), idleMs);
      waiting.set(documentName, () => {
        clearTimeout(timer);
        release();
      });
    },

    expireAll() {
      for (const room of waiting.keys()) expire(room);
    },

    async onDestroy() {
      for (const room of waiting.keys()) expire(room);
    },
  };
}
