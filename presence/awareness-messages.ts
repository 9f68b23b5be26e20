/**
 * The Awareness messages (y-protocols) of everybody in a room. Hocuspocus (4.7) takes every state for every client id from anybody, of any
 * size, and drops the message that somebody is gone.
 *
 * A member speaks for one client id, its own: the first that it names and that no other user here has. The stock provider is one client of
 * one document, and its first message has this one entry. So its states need no counting. Everything else that a message says is ignored, not punished: a provider reports
 * others as gone when it has not heard of them for 30 s, and one that shares its awareness with another transport repeats what others say.
 */
import type { HookName } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { closeReasons } from "../lib/close-reasons.ts";
import { Refusal } from "../lib/refusal.ts";
import { probe, type ClientIds } from "../members/client-ids.ts";
import type { MessageHandler } from "../members/member-messages.ts";
import type { Member } from "../members/member.ts";
import { ClientSocket } from "../transport/client-socket.ts";
import { isRemoval, readAwarenessUpdate } from "./awareness-update.ts";
import { readState, signState, type PresenceState } from "./presence-state.ts";
import type { PresenceStates } from "./presence-states.ts";

export interface AwarenessMessagesOptions {
  readonly states: PresenceStates;
  readonly clientIds: ClientIds;
  readonly maxAwarenessBytes: number;
}

/** What a member says of itself. */
interface Statement {
  readonly client: number;
  /** Null when it is gone, or does not want to be seen. */
  readonly state: PresenceState | null;
}

export class AwarenessMessages implements MessageHandler {
  readonly hookNames: readonly HookName[] = ["beforeHandleAwareness"];
  readonly #options: AwarenessMessagesOptions;
  readonly #probed = new WeakSet<Member>();

  constructor(options: AwarenessMessagesOptions) {
    this.#options = options;
  }

  /** @throws Refusal when a state is too large, Error when the message does not decode. */
  handle(member: Member, decoder: decoding.Decoder): void {
    const { states } = this.#options;
    const statement = this.#read(member, decoding.readVarUint8Array(decoder));
    if (statement)
      this.#show(member, statement, statement.state ? [[statement.client, statement.state]] : []);
    states.greet(member);
  }

  /** The hook may change, add and take away states, as in Hocuspocus. What it leaves is the team's own word, and trusted. */
  async handleWithHooks(
    member: Member,
    decoder: decoding.Decoder,
    timed: (handle: () => void) => void,
  ): Promise<void> {
    const { document } = member;
    let read: Statement | null = null;
    timed(() => (read = this.#read(member, decoding.readVarUint8Array(decoder))));
    const statement = read as Statement | null;
    const shown = new Map(statement?.state ? [[statement.client, statement.state]] : []);
    if (statement) {
      const origin = { source: "connection", connection: member } as const;
      await document.callbacks.beforeHandleAwareness(document, shown, origin);
    }
    // Gone meanwhile: nobody would take its state away again.
    if (!document.hasConnection(member)) return;
    timed(() => {
      if (statement) this.#show(member, statement, shown);
      this.#options.states.greet(member);
    });
  }

  #read(member: Member, update: Uint8Array): Statement | null {
    const { states, maxAwarenessBytes: maxBytes } = this.#options;
    let own = states.own(member);
    let statement: Statement | null = null;
    for (const entry of readAwarenessUpdate(update)) {
      const { client, start, end } = entry;
      const isGone = isRemoval(update, entry);
      if (own === undefined && !isGone && this.#isFree(client, member)) own = client;
      if (client !== own || states.isEcho(member, entry)) continue;
      if (!mayShow(member, end - start))
        throw new Refusal(closeReasons.rateLimited, "Presence of more bytes than may be shown");
      const state = isGone ? null : readState(update.subarray(start, end), { maxBytes });
      if (state) signState(state, member.context.user);
      statement = { client, state };
    }
    return statement;
  }

  #show(
    member: Member,
    { client, state }: Statement,
    shown: Iterable<readonly [number, PresenceState]>,
  ): void {
    const { states } = this.#options;
    if (states.own(member) === undefined) {
      // Looked at again: while a hook ran, somebody else may have come with it.
      if (!this.#isFree(client, member)) return;
      states.setOwn(member, client);
    }
    if (!state) states.remove(member, client);
    for (const [shownClient, shownState] of shown) states.set(member, shownClient, shownState);
  }

  #isFree(client: number, member: Member): boolean {
    // The server's own id, for whose state y-protocols has other rules.
    if (client === member.document.awareness.clientID) return false;
    const owner = this.#options.clientIds.otherOwner(client, member);
    if (!owner) return true;
    // Once a connection: it is given five seconds to answer, and could be kept at that.
    if (!this.#probed.has(member)) probe(owner);
    this.#probed.add(member);
    return false;
  }
}

function mayShow({ webSocket }: Member, bytes: number): boolean {
  return !(webSocket instanceof ClientSocket) || webSocket.sender.mayShow(bytes, performance.now());
}
