/**
 * The presence states of all rooms: whose each is, with which clock it goes out, who is sent it, and that it ends with its person.
 *
 * They stand in Hocuspocus' `document.awareness`, and what comes from elsewhere (a direct connection, an extension) goes its usual way.
 * What would go wrong if members' states did (Hocuspocus 4.7, y-protocols 1.0):
 *
 * - A connection's states are forgotten to be its own at its first reconnect, and the next time it leaves, it stays visible for 30 s.
 * - A state counts only with a higher clock than the last that was seen of its client, and nobody forgets a clock: who returns is invisible,
 *   and sees nobody, until the next heartbeat. So clocks are the server's, and each that is sent is higher than all before it.
 * - A client takes a higher clock's word for its own state, too. So nobody is sent their own: it may be older than what they have by now.
 */
import { OutgoingMessage, type Document, type TransactionOrigin } from "@hocuspocus/server";
import { equalityDeep } from "lib0/function";
import { removeAwarenessStates } from "y-protocols/awareness";
import type { ClientIds } from "../members/client-ids.ts";
import type { Member } from "../members/member.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import type { PresenceState } from "./presence-state.ts";

/** Clocks of clients without a state, per room, before they are let go. */
const SLACK = 64;

/** Clocks follow the time, so that a restart begins above all that pages still remember. Six bytes on the wire until 2033. */
const CLOCK_EPOCH = Date.UTC(2025, 0);

/** Ours are multiples of this; a client that took one over counts on from it by one. */
export const CLOCK_STEP = 16;

/** So long after it was sent, a state may come back. */
const ECHO_MS = 10_000;

export class PresenceStates {
  readonly #clientIds: ClientIds;
  readonly #own = new WeakMap<Member, number>();
  readonly #greeted = new WeakSet<Member>();

  constructor({ clientIds }: { readonly clientIds: ClientIds }) {
    this.#clientIds = clientIds;
  }

  /** The client id that this member speaks for; none before it has named one. */
  own(member: Member): number | undefined {
    return this.#own.get(member);
  }

  /** For as long as the member is there: one that could change it could have any number, one after the other. */
  setOwn(member: Member, client: number): void {
    this.#own.set(member, client);
  }

  /**
   * Whether it is the server's own word come back: a page that shares its awareness with another transport (WebRTC) hands what it hears here
   * to the author's page, which then says it again, with our clock. Taken for news, it would go in circles.
   */
  isEcho(
    { document }: Member,
    { client, clock }: { readonly client: number; readonly clock: number },
  ): boolean {
    const { meta, states } = document.awareness;
    const last = meta.get(client)?.clock ?? 0;
    return (
      states.has(client) && clock <= last && clock > last - ECHO_MS * CLOCK_STEP && clock % CLOCK_STEP === 0
    );
  }

  /** Shows a state to everybody else in the room, until this member leaves or says another. */
  set(member: Member, client: number, state: PresenceState): void {
    const { awareness, connections } = member.document;
    if (connections.get(member)?.clients.has(client) === false) this.#take(member, client);
    const before = awareness.states.get(client);
    awareness.states.set(client, state);
    awareness.meta.set(client, { clock: nextClock(awareness.meta.get(client)), lastUpdated: Date.now() });
    const clients = [client];
    const added = before ? [] : clients;
    const updated = before ? clients : [];
    const changed = before && !equalityDeep(before, state) ? clients : [];
    this.#withoutEcho(member, client, (origin) => {
      if (added.length + changed.length > 0)
        awareness.emit("change", [{ added, updated: changed, removed: [] }, origin]);
      awareness.emit("update", [{ added, updated, removed: [] }, origin]);
    });
  }

  remove(member: Member, client: number): void {
    this.#withoutEcho(member, client, (origin) =>
      removeAwarenessStates(member.document.awareness, [client], origin),
    );
  }

  /** Shows a newcomer everybody who is there: once it has said which id is its own, or that it has none. */
  greet(member: Member): void {
    if (this.#greeted.has(member)) return;
    this.#greeted.add(member);
    const { awareness } = member.document;
    const own = this.own(member);
    const others = [...awareness.states.keys()].filter((client) => client !== own);
    if (others.length === 0) return;
    // Perhaps it was here before, and took everybody for gone when its socket closed.
    for (const client of others) {
      const meta = awareness.meta.get(client);
      if (meta) meta.clock = nextClock(meta);
    }
    const greeting = new OutgoingMessage(member.messageAddress);
    member.send(greeting.createAwarenessUpdateMessage(awareness, others).toUint8Array());
  }

  /** The state ends with this member from now on, not with an older connection of the same user that may be dead by now. */
  #take(member: Member, client: number): void {
    const { document } = member;
    if (document.awareness.states.has(client))
      for (const { clients } of document.connections.values()) clients.delete(client);
    // Where is looked when the member leaves.
    document.connections.get(member)?.clients.add(client);
    this.#clientIds.claim([client], member);
    forgetTheGone(document.awareness);
  }

  #withoutEcho(member: Member, client: number, broadcast: (origin: TransactionOrigin) => void): void {
    const { webSocket, messageAddress: address } = member;
    const run = (): void => broadcast({ source: "connection", connection: member });
    if (!(webSocket instanceof ClientSocket)) {
      run();
      return;
    }
    webSocket.withoutPresence({ address, client }, run);
    if (webSocket.understandsPing) return;
    // A provider from before version 4 lives on the echo of its own heartbeat: it closes when it hears nothing for 30 s.
    const empty = new OutgoingMessage(address).createAwarenessUpdateMessage(member.document.awareness, []);
    member.send(empty.toUint8Array());
  }
}

/** Higher than the last, and than what anybody remembers of before. */
export function nextClock(last: { readonly clock: number } | undefined): number {
  return Math.max((last?.clock ?? 0) + CLOCK_STEP, (Date.now() - CLOCK_EPOCH) * CLOCK_STEP);
}

/** y-protocols keeps the clock of everybody who was ever here. Ours only grow, so nothing is lost with it. */
export function forgetTheGone({ meta, states, clientID }: Document["awareness"]): void {
  if (meta.size <= SLACK + 2 * states.size) return;
  for (const client of meta.keys()) if (client !== clientID && !states.has(client)) meta.delete(client);
}
