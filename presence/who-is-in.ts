/**
 * Who is in a room, by their admitted connections: presence states are what clients say of themselves, and a client may say nothing.
 */
import type { Document } from "@hocuspocus/server";
import type { Access, User } from "../lib/identity.ts";
import type { Member } from "../members/member.ts";

export interface Attendee extends User {
  /** Tabs and devices of this user in the room, those included that are cut off and not known to be. */
  readonly connections: number;
  /** The strongest of these connections. */
  readonly access: Access;
  /** Awareness client ids under which this user is seen in the room. */
  readonly clients: readonly number[];
}

/**
 * Everybody in the room of this document, one entry a user, in the order in which they came. Direct connections of the server itself are
 * nobody.
 */
export function whoIsIn(document: Document): readonly Attendee[] {
  const attendees = new Map<string, Attendee>();
  for (const connection of document.getConnections()) {
    const { user, access } = (connection as Member).context;
    const known = attendees.get(user.id);
    attendees.set(user.id, {
      // As the newest token says it.
      ...user,
      connections: (known?.connections ?? 0) + 1,
      access: known?.access === "write" ? "write" : access,
      clients: [...(known?.clients ?? []), ...seenClients(document, connection)],
    });
  }
  return [...attendees.values()];
}

/** An id stays with its connection when its state was withdrawn or has timed out. */
function seenClients(document: Document, connection: Member): number[] {
  const states = document.awareness.getStates();
  return [...(document.getClients(connection) as Set<number>)].filter((client) => states.has(client));
}
