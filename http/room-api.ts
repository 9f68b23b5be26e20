/**
 * The room API, for the backend (bearer of ADMIN_TOKEN): who is in a room, and orders about who may stay. A user or room that is not here
 * is answered 200 with nobody: the backend asks every instance, and only some have them.
 */
import type { BackendOrders } from "../auth/backend-orders.ts";
import type { Rooms } from "../lib/rooms.ts";
import { whoIsIn } from "../presence/who-is-in.ts";
import type { Routes } from "./router.ts";

export interface RoomApiOptions {
  readonly rooms: Pick<Rooms, "documents">;
  readonly orders: BackendOrders;
}

export function roomApi({ rooms, orders }: RoomApiOptions): Routes {
  return {
    "GET /api/rooms/:room/presence": ({ params: { room = "" } }) => {
      const document = rooms.documents.get(room);
      return { status: 200, body: { room, users: document ? whoIsIn(document) : [] } };
    },
    "POST /api/rooms/:room/kick": ({ params: { room = "" }, query }) => {
      const { user, ...others } = query;
      // An empty variable or a misspelled name would put everybody out.
      if (user === "" || Object.keys(others).length > 0)
        return { status: 400, body: { error: "?user=<id> for one user, nothing for everybody" } };
      return { status: 200, body: { room, ...(user && { user }), connections: orders.kick(room, user) } };
    },
    "POST /api/users/:user/revoke": ({ params: { user = "" } }) => ({
      status: 200,
      body: { user, connections: orders.revoke(user) },
    }),
    "POST /api/users/:user/recheck": async ({ params: { user = "" } }) => ({
      status: 200,
      body: { user, ...(await orders.recheck(user)) },
    }),
  };
}
