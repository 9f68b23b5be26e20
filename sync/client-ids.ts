/**
 * Which connection writes with which Yjs client id, as long as it is there. Yjs takes whatever comes first under an id for the truth: who
 * writes elements with somebody else's id makes that one's next edits count as known, and they are gone without a word.
 */
import * as Y from "yjs";
import { ClientSocket } from "../transport/client-socket.ts";
import type { Member } from "../members/member.ts";
import type { UpdateContents } from "./update-contents.ts";

/** A connection has one id, or a few where it reloads its document: beyond this the connections of those who left are let go. */
const SLACK = 64;

export class ClientIds {
  readonly #writers = new WeakMap<Y.Doc, Map<number, Member>>();

  /**
   * Returns the ids that the update adds to, for `claim`. The tabs of one user may share what they know: a local store of unsent edits has
   * both.
   * @throws Error when another user is writing with one of them.
   */
  ensureOwn({ ends }: UpdateContents, member: Member): readonly number[] {
    const writers = this.#writers.get(member.document);
    const added: number[] = [];
    for (const [client, end] of ends) {
      if (end <= Y.getState(member.document.store, client)) continue;
      const writer = writers?.get(client);
      if (writer && writer !== member && isOther(writer, member)) {
        // Perhaps the same person, a guest after a change of network, whose old socket is not known to be dead yet.
        if (writer.webSocket instanceof ClientSocket) writer.webSocket.probe();
        throw new Error("An update in the name of somebody else's client id");
      }
      added.push(client);
    }
    return added;
  }

  /** To be told of an edit once it is in the document: what it adds continues what this member, or nobody here, wrote. */
  claim(added: readonly number[], member: Member): void {
    const { document } = member;
    let writers = this.#writers.get(document);
    if (!writers) this.#writers.set(document, (writers = new Map()));
    for (const client of added) {
      if (writers.get(client) === member) continue;
      writers.set(client, member);
      if (writers.size > SLACK + 2 * document.connections.size) forgetTheGone(writers, member);
    }
  }
}

function forgetTheGone(writers: Map<number, Member>, { document }: Member): void {
  for (const [client, writer] of writers) if (!document.hasConnection(writer)) writers.delete(client);
}

function isOther(writer: Member, member: Member): boolean {
  return member.document.hasConnection(writer) && writer.context.user?.id !== member.context.user?.id;
}
