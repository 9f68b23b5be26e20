/**
 * What a client may say to which room right now, looked at before Hocuspocus sees a message.
 *
 * A message begins with an address: the room, or `room\0session` from a provider with session awareness. Two things go wrong in
 * Hocuspocus 4.7 with what follows:
 *
 * - A provider that leaves a room and enters it again (a React effect that runs twice) sends CLOSE and Auth in one breath. Hocuspocus
 *   hands the Auth to the connection that is about to close, and the new provider sits on an open socket without a room, for ever.
 *   So what comes after a CLOSE waits until Hocuspocus has said goodbye.
 * - It looks addresses up in plain objects, so a room called `constructor` or `__proto__` breaks the whole socket.
 */
import { MessageType } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";

/** A room name has at most 200 characters, a session id of the stock provider eleven. */
const MAX_ADDRESS_BYTES = 1024;

/** What may wait behind a CLOSE: a login, a first sync and some edits. A client that sends more is not waiting for the answer. */
const MAX_WAITING = 1000;

export type Verdict =
  /** To Hocuspocus. */
  | { readonly kind: "pass" }
  /** Nothing to be done: it waits, or Hocuspocus does not know the room that it leaves. */
  | { readonly kind: "keep" }
  /** No room can have this name. */
  | { readonly kind: "no-room"; readonly address: string }
  /** Not a message of the protocol. */
  | { readonly kind: "broken" };

const pass: Verdict = { kind: "pass" };
const keep: Verdict = { kind: "keep" };
const broken: Verdict = { kind: "broken" };

export class RoomAddresses {
  /** Rooms that this client has asked for, each with the messages that wait behind its CLOSE; null while there is none. */
  readonly #asked = new Map<string, Uint8Array[] | null>();

  judge(message: Uint8Array): Verdict {
    let address: string;
    let type: number;
    try {
      const decoder = decoding.createDecoder(message);
      const addressBytes = decoding.readVarUint(decoder);
      if (addressBytes > MAX_ADDRESS_BYTES) return broken;
      decoder.pos = 0;
      address = decoding.readVarString(decoder);
      type = decoding.readVarUint(decoder);
    } catch {
      return broken;
    }
    if (address in Object.prototype) return type === MessageType.Auth ? { kind: "no-room", address } : keep;
    const waiting = this.#asked.get(address);
    if (waiting) {
      if (waiting.length >= MAX_WAITING) return broken;
      waiting.push(message);
      return keep;
    }
    if (type === MessageType.Auth) this.#asked.set(address, null);
    if (type === MessageType.CLOSE) {
      if (!this.#asked.has(address)) return keep;
      this.#asked.set(address, []);
    }
    return pass;
  }

  /** Hocuspocus has let go of the address, or never took it. Returns what waited for that. */
  left(address: string): readonly Uint8Array[] {
    const waiting = this.#asked.get(address);
    this.#asked.delete(address);
    return waiting ?? [];
  }
}
