/** People with names in rooms, and presence as it is on the wire. */
import { isDeepStrictEqual } from "node:util";
import { MessageType } from "@hocuspocus/server";
import jwt from "jsonwebtoken";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { Access } from "../../lib/identity.ts";
import { jwtSecret } from "./backend.ts";
import { connect, type Client, type ClientOptions } from "./client.ts";
import { RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

/** What a server needs for `tokenOf`. */
export const namedUsers = { JWT_SECRET: jwtSecret } as const;

export interface TokenOptions {
  readonly access?: Access;
  readonly color?: string;
  readonly iat?: number;
  /** A glob; by itself all whose names have no slash. */
  readonly rooms?: string;
}

/** Of a user with a capital in front of the id as its name. */
export function tokenOf(id: string, { access = "write", rooms = "*", ...claims }: TokenOptions = {}): string {
  const name = id.charAt(0).toUpperCase() + id.slice(1);
  return jwt.sign({ sub: id, name, rooms: { [rooms]: access }, ...claims }, jwtSecret);
}

export type State = Readonly<Record<string, unknown>>;

/** A provider that is in the room and shows this state. */
export async function appear(user: string, state: State | null, options: ClientOptions): Promise<Client> {
  const client = connect({ token: tokenOf(user), ...options });
  client.provider.awareness?.setLocalState(state);
  return client.synced();
}

/** A raw client of this user, in the room, which shows nothing yet. */
export async function enterRaw(
  user: string,
  { url, name }: ClientOptions,
  { version = "4.8.0" }: { readonly version?: string | null } = {},
): Promise<RawClient> {
  const client = await new RawClient(url).opened();
  client.login(name, { token: tokenOf(user), version });
  client.firstSync(name);
  await client.received(name, MessageType.Sync);
  return client;
}

/** What somebody sees of the others: states by client id. */
export function seenBy({ provider }: Client): Record<number, State> {
  const states = provider.awareness?.getStates() ?? new Map<number, State>();
  return Object.fromEntries([...states].filter(([client]) => client !== provider.document.clientID));
}

/** Waits until somebody sees exactly these states. */
export async function sees(client: Client, expected: Record<number, State>): Promise<void> {
  const wanted = JSON.stringify(expected);
  // Less than the 15 s after which a provider repeats its state by itself.
  await until(`seen: ${wanted}`, () => isDeepStrictEqual(seenBy(client), expected), { timeoutMs: 8000 });
}

export interface Entry {
  readonly client: number;
  readonly clock?: number;
  /** JSON is made of it, unless it is a string. */
  readonly state: State | string | null;
}

export function sendPresence(client: RawClient, room: string, ...entries: readonly Entry[]): void {
  sendAwareness(client, room, (encoder) => {
    encoding.writeVarUint(encoder, entries.length);
    for (const { client: id, clock = 1, state } of entries) {
      encoding.writeVarUint(encoder, id);
      encoding.writeVarUint(encoder, clock);
      encoding.writeVarString(encoder, typeof state === "string" ? state : JSON.stringify(state));
    }
  });
}

/** An Awareness message with whatever is written as its update. */
export function sendAwareness(
  client: RawClient,
  room: string,
  write: (encoder: encoding.Encoder) => void,
): void {
  client.send(room, MessageType.Awareness, (encoder) =>
    encoding.writeVarUint8Array(encoder, encoding.encode(write)),
  );
}

/** Everything that a raw client was told of anybody's presence, in its order. */
export function toldTo(client: RawClient): readonly (readonly [client: number, state: State | null])[] {
  return client.messages.flatMap((message) => {
    const decoder = decoding.createDecoder(message);
    decoding.readVarString(decoder);
    if (decoding.readVarUint(decoder) !== MessageType.Awareness) return [];
    const update = decoding.createDecoder(decoding.readVarUint8Array(decoder));
    return Array.from({ length: decoding.readVarUint(update) }, () => {
      const id = decoding.readVarUint(update);
      decoding.readVarUint(update);
      return [id, JSON.parse(decoding.readVarString(update)) as State | null] as const;
    });
  });
}
