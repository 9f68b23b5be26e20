/**
 * Keeps an empty room for a while, so that a reload or a short loss of network costs no load.
 *
 * Hooks      connected, onDisconnect
 * Promises   U1 a room unloads ROOM_IDLE_SECONDS after its last leave, not before
 *            U2 a rejoin at any moment reaches the live document
 *            U3 a rejoin starts the time anew
 *            M20 under memory pressure an empty room goes at once
 */
import type { Extension } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";

export interface IdleUnloadOptions {
  readonly idleMs: number;
  /** Keeps a room in memory until the returned function is called; it then unloads if nobody is in it. */
  readonly hold: (room: string) => () => void;
  /** Whether the memory is needed: nobody's empty room waits then. */
  readonly isPressed: () => boolean;
}

export interface IdleUnload extends Extension<Identity> {
  /** Lets all waiting rooms go now. */
  expireAll(): void;
}

export function idleUnload({ idleMs, hold, isPressed }: IdleUnloadOptions): IdleUnload {
  /** Ends the wait of each room that waits. */
  const waiting = new Map<string, () => void>();
  /** The holds of those inside, by their contexts: each connection has one, and both hooks get it. */
  const inside = new WeakMap<object, () => void>();

  const expire = (room: string): void => {
    const release = waiting.get(room);
    waiting.delete(room);
    release?.();
  };

  const startWait = (room: string): void => {
    // The new hold before the old one goes, or the room would unload in between.
    const release = hold(room);
    expire(room);
    const timer = setTimeout(() => expire(room), isPressed() ? 0 : idleMs);
    waiting.set(room, () => {
      clearTimeout(timer);
      release();
    });
  };

  return {
    extensionName: "idle-unload",
    // Before a team's extensions, which may take their time.
    priority: 1000,

    // A connection holds its room until its leave has been dealt with: Hocuspocus takes it off the document first, and still works on
    // its last messages then.
    async connected({ connection, documentName, context }) {
      // Gone already, while another extension's hook took its time: nobody would let go of the hold.
      if (!connection.document.hasConnection(connection)) return;
      inside.set(context, hold(documentName));
    },

    // A rejoin needs no hook: a wait that runs out while somebody is inside unloads nothing, and the next last leave starts a new one.
    async onDisconnect({ documentName, document, context }) {
      const release = inside.get(context);
      inside.delete(context);
      if (document.getConnectionsCount() === 0) startWait(documentName);
      release?.();
    },

    expireAll() {
      for (const room of waiting.keys()) expire(room);
    },
  };
}
