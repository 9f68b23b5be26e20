/**
 * Keeps those seen who are there. y-protocols (1.0) forgets a state that was not repeated for 30 s, and its author's page repeats it by a
 * timer: browsers hold back the timers of a hidden tab, to one a minute after five minutes, and its owner would come and go for everybody.
 * Here it is known who is connected: what they show is said again for them, with the next clock.
 *
 * Only what members show: a state that was withdrawn is gone already, those of people at other instances are renewed there, and what
 * nobody here answers for (a direct connection, a stock instance that has died) still times out.
 */
import type { Document } from "@hocuspocus/server";
import type { Member } from "../members/member.ts";
import type { PresenceStates } from "./presence-states.ts";

/**
 * Of a room's people, the share that is renewed in one sweep: each renewal is a message to everybody in the room, and a thousand hidden tabs
 * that came together are a million messages. A sweep a second has ten until the first of them would be forgotten.
 */
const SHARE_OF_ROOM = 1 / 8;
const FEWEST = 8;

export interface RenewalOptions {
  readonly states: PresenceStates;
  readonly documents: () => Iterable<Document>;
  /** Age of a state from which it is renewed, ms. */
  readonly afterMs: number;
}

export class Renewal {
  readonly #options: RenewalOptions;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** To be called about once a second. */
  sweep(now = Date.now()): void {
    for (const document of this.#options.documents()) this.#renew(document, now);
  }

  #renew({ awareness, connections }: Document, now: number): void {
    const { states, afterMs } = this.#options;
    let left = Math.max(FEWEST, Math.ceil(connections.size * SHARE_OF_ROOM));
    for (const [member, { clients }] of connections)
      for (const client of clients as Set<number>) {
        const lastUpdated = awareness.meta.get(client)?.lastUpdated ?? now;
        const state = awareness.states.get(client);
        if (!state || now - lastUpdated < afterMs) continue;
        states.set(member as Member, client, state);
        if (--left === 0) return;
      }
  }
}
