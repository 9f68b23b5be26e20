/**
 * The room API, for the backend (bearer of ADMIN_TOKEN): who is in a room, and orders about who may stay. A user or room that is not here
 * is answered 200 with nobody: the backend asks every instance, and only some have them.
 */
import type { BackendOrders } from "../auth/backend-orders.ts";
import type { Rooms } from "../lib/rooms.ts";
import { whoIsIn } from "../presence/who-is-in.ts";
import { queryParameters } from "./query-parameters.ts";
import { BadRequest, type Routes } from "./router.ts";

export interface RoomApiOptions {
  readonly rooms: Pick<Rooms, "documents">;
  readonly orders: BackendOrders;
}

/** Clocks do not differ by so much. Milliseconds, or a slip of a digit, would void tokens that are not even issued yet. */
const MAX_SECONDS_AHEAD = 3600;

export function roomApi({ rooms, orders }: RoomApiOptions): Routes {
  return {
    "GET /api/rooms/:room/presence": ({ params: { room = "" }, query }) => {
      queryParameters(query, []);
      const document = rooms.documents.get(room);
      return { status: 200, body: { room, users: document ? whoIsIn(document) : [] } };
    },
    "POST /api/rooms/:room/kick": ({ params: { room = "" }, query }) => {
      const { user } = queryParameters(query, ["user"]);
      return { status: 200, body: { room, ...(user && { user }), connections: orders.kick(room, user) } };
    },
    "POST /api/users/:user/revoke": ({ params: { user = "" }, query }) => {
      const { before } = queryParameters(query, ["before"]);
      return { status: 200, body: { user, connections: orders.revoke(user, unixSeconds(before)) } };
    },
    "POST /api/users/:user/recheck": async ({ params: { user = "" }, query }) => {
      queryParameters(query, []);
      return { status: 200, body: { user, ...(await orders.recheck(user)) } };
    },
  };
}

function unixSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const isInReach = /^\d{1,15}$/.test(text) && Number(text) <= Date.now() / 1000 + MAX_SECONDS_AHEAD;
  if (!isInReach) throw new BadRequest("before is a time in whole unix seconds, not an hour from now");
  return Number(text);
}
