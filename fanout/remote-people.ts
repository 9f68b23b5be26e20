/**
 * The people of one room who are at other instances: whose word counts about each of them, and that they go with their instance.
 *
 * About its people an instance is believed whatever the clock, because what it says comes in order: clocks here may have been raised
 * meanwhile (`PresenceStates.greet`). About somebody else's it is believed only if its clock is newer than all before it: they have moved.
 * That somebody is gone is believed of their instance alone; a stock one says it of everybody whom it has not heard of for 30 s.
 * What counts is the clock with which a person was heard of last, not one that was raised since: after an outage of Redis the instance that they
 * have left, and that has not noticed yet, may have raised theirs more often than the one where they are.
 * Of somebody who is connected here it is believed that they have moved only if it is the same user: else anybody could be seen in their
 * place by coming with their client id to another instance.
 */
import type { Document } from "@hocuspocus/server";
import * as encoding from "lib0/encoding";
import { applyAwarenessUpdate, removeAwarenessStates, type MetaClientState } from "y-protocols/awareness";
import type { Identity } from "../lib/identity.ts";
import { isRemoval, readAwarenessUpdate } from "../presence/awareness-update.ts";
import { readState, userOf } from "../presence/presence-state.ts";
import { CLOCK_STEP, forgetTheGone, nextClock } from "../presence/presence-states.ts";
import { peerOf, peerOrigin } from "./peer-origin.ts";

interface Remote {
  readonly instance: string;
  /** As its instance said it last. */
  readonly clock: number;
}

/** What somebody here has said last. */
interface Word {
  readonly state: unknown;
  /** With which the others were told of it last. */
  readonly clock: number;
}

interface Change {
  readonly added: readonly number[];
  readonly updated: readonly number[];
  readonly removed: readonly number[];
}

export class RemotePeople {
  readonly #document: Document;
  readonly #remotes = new Map<number, Remote>();
  readonly #words = new Map<number, Word>();

  constructor(document: Document) {
    this.#document = document;
  }

  /** Clients that are seen in the room and are here. */
  here(): number[] {
    const { states, clientID } = this.#document.awareness;
    return [...states.keys()].filter((client) => client !== clientID && !this.#remotes.has(client));
  }

  /** The user who is seen with this client id and is elsewhere, if a server has signed what is seen. */
  userOf(client: number): string | undefined {
    return this.#remotes.has(client) ? userOf(this.#document.awareness.states.get(client)) : undefined;
  }

  /** Of a change of presence, the clients about whom the other instances are to be told: not those they have told us about. */
  changedHere({ added, updated, removed }: Change, origin: unknown): number[] {
    if (peerOf(origin) !== null) return [];
    // Here from now on, if they were elsewhere before.
    for (const client of [...added, ...updated]) {
      this.#remotes.delete(client);
      this.#hear(client);
    }
    const gone = removed.filter((client) => !this.#remotes.delete(client));
    return [...added, ...updated, ...gone].filter((client) => client !== this.#document.awareness.clientID);
  }

  /** The clocks with which the others are told of clients that are, or were, here: each time a little higher than the last. */
  told(clients: readonly number[]): Map<number, MetaClientState> {
    const { states, meta } = this.#document.awareness;
    return new Map(
      clients.map((client) => {
        const { clock: shown = 0, lastUpdated = 0 } = meta.get(client) ?? {};
        const last = this.#words.get(client)?.clock ?? shown - CLOCK_STEP;
        const state = states.get(client);
        const clock = state ? last + CLOCK_STEP : Math.max(last, shown);
        if (state) this.#words.set(client, { state, clock });
        else this.#words.delete(client);
        return [client, { clock, lastUpdated }];
      }),
    );
  }

  /** Those that have people here, as far as is known. */
  get instances(): Set<string> {
    return new Set([...this.#remotes.values()].map(({ instance }) => instance));
  }

  /**
   * @param areAll whether nobody else is there: who else was is gone, and that was not heard.
   * @throws Error when it is no awareness update.
   */
  receive(update: Uint8Array, instance: string, { areAll }: { readonly areAll: boolean }): void {
    const { awareness } = this.#document;
    const said = new Set<number>();
    const taken: { readonly client: number; readonly clock: number; readonly state: Uint8Array }[] = [];
    for (const entry of readAwarenessUpdate(update)) {
      const { client, clock, start, end } = entry;
      if (client === awareness.clientID) continue;
      said.add(client);
      const meta = awareness.meta.get(client);
      const remote = this.#remotes.get(client);
      const isOwner = remote?.instance === instance;
      const known = (remote ?? this.#words.get(client) ?? meta)?.clock ?? -1;
      if (isRemoval(update, entry)) {
        if (!isOwner) continue;
        this.#remotes.delete(client);
      } else {
        if ((isOwner || awareness.states.has(client)) && clock <= known) continue;
        if (!remote && !this.#letGo(client, update.subarray(start, end))) continue;
        this.#remotes.set(client, { instance, clock });
        this.#words.delete(client);
      }
      const isNewer = clock > (meta?.clock ?? -1);
      taken.push({ client, clock: isNewer ? clock : nextClock(meta), state: update.subarray(start, end) });
    }
    if (areAll) this.removeAllOf(instance, { except: said });
    if (taken.length === 0) return;
    const accepted = encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, taken.length);
      for (const { client, clock, state } of taken) {
        encoding.writeVarUint(encoder, client);
        encoding.writeVarUint(encoder, clock);
        encoding.writeVarUint8Array(encoder, state);
      }
    });
    applyAwarenessUpdate(awareness, accepted, peerOrigin(instance));
    // Perhaps nobody ever comes here, where that is done otherwise.
    forgetTheGone(awareness);
  }

  #hear(client: number): void {
    const { states, meta } = this.#document.awareness;
    const state = states.get(client);
    const last = this.#words.get(client);
    // The same object is no word of theirs: the server says it again (`Renewal`).
    if (last?.state === state) return;
    const shown = meta.get(client)?.clock ?? 0;
    this.#words.set(client, { state, clock: Math.max(shown - CLOCK_STEP, last?.clock ?? 0) });
  }

  /** Somebody who was here and has come back elsewhere: the end of the old connection is not theirs. Returns false where it is another. */
  #letGo(client: number, state: Uint8Array): boolean {
    for (const [{ context }, { clients }] of this.#document.connections) {
      if (!clients.has(client)) continue;
      const { user } = context as Partial<Identity>;
      if (user?.id !== userOf(readState(state, { maxBytes: Infinity }))) return false;
      clients.delete(client);
    }
    return true;
  }

  /** Nobody is there any more, these excepted. */
  removeAllOf(instance: string, { except }: { readonly except?: ReadonlySet<number> } = {}): void {
    const clients = [...this.#remotes].flatMap(([client, remote]) =>
      remote.instance === instance && !except?.has(client) ? [client] : [],
    );
    for (const client of clients) this.#remotes.delete(client);
    if (clients.length > 0) removeAwarenessStates(this.#document.awareness, clients, peerOrigin(instance));
  }
}
