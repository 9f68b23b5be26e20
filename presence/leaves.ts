/**
 * Those who leave a room in one turn of the event loop are gone for the others in one message. Hocuspocus (4.7) tells everybody who is still
 * in of each of them: a thousand who are put out together, or whose network goes, were half a million messages, nearly all to people who are on
 * their way out as well, and a third of a second in which nobody else was served.
 */
import type { Document } from "@hocuspocus/server";
import { removeAwarenessStates } from "y-protocols/awareness";

interface Change {
  readonly added: readonly number[];
  readonly updated: readonly number[];
}

/** To be called for each room that is loaded, once. */
export function gatherLeaves(document: Document): void {
  const { awareness } = document;
  /** Client ids that are seen and have no connection any more, until the end of the turn. */
  const gone = new Set<number>();
  const tell = (): void => {
    const clients = [...gone];
    gone.clear();
    removeAwarenessStates(awareness, clients, null);
  };
  const removeConnection = document.removeConnection.bind(document);
  document.removeConnection = (connection) => {
    const clients = document.getClients(connection) as Set<number>;
    if (clients.size > 0 && gone.size === 0) setImmediate(tell);
    for (const client of clients) gone.add(client);
    clients.clear();
    return removeConnection(connection);
  };
  // Somebody is seen with the id again, over another connection or at another instance, whoever has left with it.
  awareness.on("update", ({ added, updated }: Change) => {
    if (gone.size > 0) for (const client of [...added, ...updated]) gone.delete(client);
  });
  // The room goes in the same turn: the other instances would not hear of it later.
  awareness.on("destroy", tell);
}
