import type { Connection } from "@hocuspocus/server";
import type { Identity } from "../lib/identity.ts";

/** Somebody who is in a room: one client's connection to one document. */
export type Member = Connection<Identity>;
