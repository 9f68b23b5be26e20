/**
 * Lets no more people into a room than it is made for: each edit is written to each of them.
 *
 * Hooks      onAuthenticate
 * Promises   M3 never more than MAX_CONNECTIONS_PER_ROOM in a room, however many come at once
 *            M16 nobody takes all its seats
 *
 * Behind authentication, which costs a question to the backend for each who is refused here; but whether a room is full, and so that it
 * exists, is nothing to tell strangers, and a stock provider asks once only: the refusal is final.
 */
import type { Extension } from "@hocuspocus/server";
import { closeReasons } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import { Refusal } from "../lib/refusal.ts";
import type { Rooms } from "../lib/rooms.ts";

/** Of one user in one room. Tabs and devices are a few; those of sockets that died and are not known to (24 s) come on top. */
const MAX_CONNECTIONS_PER_USER = 32;

export interface RoomCapacityOptions {
  readonly maxConnectionsPerRoom: number;
  readonly seats: Pick<Rooms, "occupancy" | "admit">;
}

export function roomCapacity({ maxConnectionsPerRoom, seats }: RoomCapacityOptions): Extension<Identity> {
  return {
    extensionName: "room-capacity",
    // Last, behind a team's extensions too: from here until the room is fetched, Hocuspocus does not wait for anything.
    priority: -10_000,

    async onAuthenticate({ documentName, socketId, context }) {
      const user = context.user.id;
      if (seats.occupancy(documentName, user) >= MAX_CONNECTIONS_PER_USER)
        throw new Refusal(closeReasons.tooManyTabs);
      if (seats.occupancy(documentName) >= maxConnectionsPerRoom) throw new Refusal(closeReasons.roomFull);
      seats.admit(documentName, { socketId, user });
    },
  };
}
