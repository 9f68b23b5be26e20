/**
 * "Saved", said to clients: the ack rule. A connection is told that its edits are saved once all edits of the room so far are durable, and by nothing
 * else.
 */
import { OutgoingMessage, type Connection } from "@hocuspocus/server";
import type { Journal, SavedWaiter } from "../storage/journal.ts";
import { binaryFrame } from "./frame.ts";

/** Where acks go out. */
export interface AckWriter {
  writeFrame(frame: Buffer): void;
}

export class Acks {
  readonly #whenSaved: Journal["whenSaved"];
  /** One a connection, by which the journal counts what it waits for; for good, because most who have edited go on. */
  readonly #waiting = new WeakMap<Connection, Waiting>();

  /** @param whenSaved tells the waiter when all edits of the room so far are durable. */
  constructor(whenSaved: Journal["whenSaved"]) {
    this.#whenSaved = whenSaved;
  }

  /** Says that so many edits are saved, as soon as it is true. */
  promise(
    connection: Connection,
    { writer, count }: { readonly writer: AckWriter; readonly count: number },
  ): void {
    let waiting = this.#waiting.get(connection);
    if (!waiting) this.#waiting.set(connection, (waiting = new Waiting(connection, writer)));
    this.#whenSaved(connection.document.name, waiting, count);
  }
}

class Waiting implements SavedWaiter {
  readonly #connection: Connection;
  readonly #writer: AckWriter;

  constructor(connection: Connection, writer: AckWriter) {
    this.#connection = connection;
    this.#writer = writer;
  }

  saved(count: number): void {
    const connection = this.#connection;
    // A provider that has left and come back under the same address would count them for its own edits.
    if (!connection.document.hasConnection(connection)) return;
    const ack = new OutgoingMessage(connection.messageAddress).writeSyncStatus(true);
    const frame = binaryFrame(ack.toUint8Array());
    for (let i = 0; i < count; i++) this.#writer.writeFrame(frame);
  }
}
