/**
 * Which connection writes with which Yjs client id, as long as it is there. Yjs takes whatever comes first under an id for the truth: who
 * writes elements with somebody else's id makes that one's next edits count as known, and they are gone without a word.
 */
import type { Connection } from "@hocuspocus/server";
import * as Y from "yjs";
import type { Identity } from "../lib/identity.ts";
import type { UpdateContents } from "./update-contents.ts";

/** A connection has one id, or a few where it reloads its document: beyond this the connections of those who left are let go. */
const SLACK = 64;

export class ClientIds {
  readonly #writers = new WeakMap<Y.Doc, Map<number, Connection<Identity>>>();

  /**
   * Whether the update adds to an id that another user is writing with. The tabs of one user may share what they know: a local store of
   * unsent edits has both.
   */
  isForeign({ ends }: UpdateContents, connection: Connection<Identity>): boolean {
    const writers = this.#writers.get(connection.document);
    if (!writers) return false;
    for (const [client, end] of ends) {
      if (end <= Y.getState(connection.document.store, client)) continue;
      const writer = writers.get(client);
      if (writer && writer !== connection && isOther(writer, connection)) return true;
    }
    return false;
  }

  /** To be told of an edit before it is applied: it continues what this connection, or nobody here, wrote with its id. */
  claim({ ends }: UpdateContents, connection: Connection<Identity>): void {
    const { document } = connection;
    let writers = this.#writers.get(document);
    if (!writers) this.#writers.set(document, (writers = new Map()));
    for (const [client, end] of ends) {
      if (writers.get(client) === connection || end <= Y.getState(document.store, client)) continue;
      writers.set(client, connection);
      if (writers.size > SLACK + 2 * document.connections.size) forgetTheGone(writers, connection);
    }
  }
}

function forgetTheGone(writers: Map<number, Connection<Identity>>, { document }: Connection<Identity>): void {
  for (const [client, writer] of writers) if (!document.hasConnection(writer)) writers.delete(client);
}

function isOther(writer: Connection<Identity>, connection: Connection<Identity>): boolean {
  return connection.document.hasConnection(writer) && writer.context.user?.id !== connection.context.user?.id;
}
