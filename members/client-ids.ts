/**
 * Which member edits and is seen under which Yjs client id, as long as it is there. Yjs takes whatever comes first under an id for the
 * truth: who writes elements with somebody else's id makes that one's next edits count as known, and they are gone without a word.
 *
 * An awareness state goes by the same id, and a provider says it first thing: one record for both, or an id could be taken from somebody
 * who is seen with it and has not written yet. Of those at other instances only what is seen is known.
 */
import type { Document } from "@hocuspocus/server";
import * as Y from "yjs";
import { ClientSocket } from "../transport/client-socket.ts";
import type { Member } from "./member.ts";

/** A connection has one id, or a few where it reloads its document: beyond this the connections of those who left are let go. */
const SLACK = 64;

export interface ClientIdsOptions {
  /** The user who is seen with a client id at another instance; null where there is none. */
  readonly userElsewhere: ((document: Document, client: number) => string | undefined) | null;
}

/** Of somebody at another instance nothing more can be found out here. */
type Owner = Member | "elsewhere";

export class ClientIds {
  readonly #userElsewhere: ClientIdsOptions["userElsewhere"];
  readonly #owners = new WeakMap<Y.Doc, Map<number, Member>>();

  constructor({ userElsewhere }: ClientIdsOptions) {
    this.#userElsewhere = userElsewhere;
  }

  /**
   * Another user who is there and has this id. The tabs of one user may share what they know: a local store of unsent edits has both.
   */
  otherOwner(client: number, member: Member): Owner | undefined {
    const { document } = member;
    const owner = this.#owners.get(document)?.get(client);
    // Whoever has it here keeps it, whatever is shown elsewhere.
    if (owner && document.hasConnection(owner)) return isSameUser(owner, member) ? undefined : owner;
    const user = this.#userElsewhere?.(document, client);
    return user === undefined || user === member.context.user?.id ? undefined : "elsewhere";
  }

  /**
   * Returns the ids that an update adds to, for `claim`.
   * @param ends of an update: the clock after its last element, by id.
   * @throws Error when another user is here with one of them.
   */
  ensureOwn(ends: ReadonlyMap<number, number>, member: Member): readonly number[] {
    const added: number[] = [];
    for (const [client, end] of ends) {
      if (end <= Y.getState(member.document.store, client)) continue;
      const owner = this.otherOwner(client, member);
      if (owner) {
        probe(owner);
        throw new Error("An update in the name of somebody else's client id");
      }
      added.push(client);
    }
    return added;
  }

  /** To be told once it is in the document, or seen: what it adds continues what this member, or nobody here, wrote. */
  claim(clients: readonly number[], member: Member): void {
    const { document } = member;
    let owners = this.#owners.get(document);
    if (!owners) this.#owners.set(document, (owners = new Map()));
    for (const client of clients) {
      if (owners.get(client) === member) continue;
      owners.set(client, member);
      if (owners.size > SLACK + 2 * document.connections.size) forgetTheGone(owners, member);
    }
  }
}

/** Perhaps the same person, a guest after a change of network, whose old socket is not known to be dead yet. */
export function probe(owner: Owner): void {
  // That instance's heartbeats find out, in 24 s at most.
  if (owner === "elsewhere") return;
  if (owner.webSocket instanceof ClientSocket) owner.webSocket.probe();
}

function forgetTheGone(owners: Map<number, Member>, { document }: Member): void {
  for (const [client, owner] of owners) if (!document.hasConnection(owner)) owners.delete(client);
}

function isSameUser(owner: Member, member: Member): boolean {
  return owner === member || owner.context.user?.id === member.context.user?.id;
}
