/**
 * Where a client stands with each room that it addresses, looked at before Hocuspocus sees a message.
 *
 * A message begins with an address: the room, or `room\0session` from a provider with session awareness. What goes wrong in
 * Hocuspocus 4.7 without this:
 *
 * - A provider that leaves a room and enters it again (a React effect that runs twice) sends CLOSE and Auth in one breath. Hocuspocus
 *   hands the Auth to the connection that is about to close, and the new provider sits on an open socket without a room, for ever.
 *   So what comes after a CLOSE waits until Hocuspocus has said goodbye.
 * - Some message types are ours (`members/`), from the moment the client is in the room; what comes between its login and then waits.
 * - It looks addresses up in plain objects, so a room called `constructor` or `__proto__` breaks the whole socket.
 */
import { MessageType } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import type { Member } from "../members/member.ts";
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { WaitingShare } from "../limits/waiting-share.ts";
import { roomIn } from "./outgoing-message.ts";

/** A room name has at most 200 characters, a session id of the stock provider eleven. */
const MAX_ADDRESS_BYTES = 1024;

/**
 * What may wait for a login or behind a CLOSE: a first sync and some edits. The limits that Hocuspocus has for its own queue; a client that
 * sends more is not waiting for the answer.
 */
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 5 * 1024 * 1024;

/** A token has 16,384 characters at most (A2). One of megabytes would be decoded only to find that out, for somebody who has shown nothing. */
const MAX_LOGIN_BYTES = 128 * 1024;

export type Verdict =
  /** To Hocuspocus: the client is in no room under this address yet. */
  | { readonly kind: "pass" }
  /** Of somebody who is in the room; the decoder stands behind the message type. */
  | {
      readonly kind: "member";
      readonly member: Member;
      readonly type: MessageType;
      readonly decoder: decoding.Decoder;
    }
  /** Nothing to be done: it waits, or is for a room that this client has not asked for or has been refused. */
  | { readonly kind: "keep" }
  /** This room is not for this client, and Hocuspocus is not asked. */
  | { readonly kind: "refuse"; readonly address: string; readonly closeReason: CloseReason }
  /** It cannot be kept until its turn: too much waits of all clients. */
  | { readonly kind: "busy" }
  /** Not a message of the protocol. */
  | { readonly kind: "broken" };

type Standing =
  /** Between login and the room, or between CLOSE and Hocuspocus' goodbye. */
  | {
      readonly kind: "waiting";
      readonly messages: Uint8Array[];
      /** Kept by the login while it is under way: there may be many more than the backend is asked about at once. */
      readonly loginBytes: number;
    }
  | { readonly kind: "inside"; readonly member: Member };

const pass: Verdict = { kind: "pass" };
const keep: Verdict = { kind: "keep" };
const busy: Verdict = { kind: "busy" };
const broken: Verdict = { kind: "broken" };

export class RoomAddresses {
  readonly #maxRooms: number;
  readonly #waiting: WaitingShare;
  readonly #standings = new Map<string, Standing>();
  #waitingBytes = 0;

  constructor({ maxRooms, waiting }: { readonly maxRooms: number; readonly waiting: WaitingShare }) {
    this.#maxRooms = maxRooms;
    this.#waiting = waiting;
  }

  judge(message: Uint8Array): Verdict {
    let address: string;
    let type: number;
    const decoder = decoding.createDecoder(message);
    try {
      const addressBytes = decoding.readVarUint(decoder);
      if (addressBytes > MAX_ADDRESS_BYTES) return broken;
      decoder.pos = 0;
      address = decoding.readVarString(decoder);
      type = decoding.readVarUint(decoder);
    } catch {
      return broken;
    }
    const room = roomIn(address);
    if (room in Object.prototype)
      return type === MessageType.Auth ? refuse(address, closeReasons.roomNameInvalid) : keep;
    const standing = this.#standings.get(address);
    switch (standing?.kind) {
      case undefined:
        if (type !== MessageType.Auth) return keep;
        // Hocuspocus would hand it to the connection that has the plain name, and answer nothing.
        if (address !== room && this.#standings.has(room))
          return refuse(address, closeReasons.roomNameInvalid);
        // Those asked for count as well: who is let in where is decided later.
        if (this.#standings.size >= this.#maxRooms) return refuse(address, closeReasons.tooManyRooms);
        return this.#logIn(address, message);
      case "waiting":
        return this.#wait(standing.messages, message);
      case "inside": {
        const { member } = standing;
        // Put out by the server, which closes the socket in a moment: until then, nothing of it counts.
        if (!member.document.hasConnection(member)) return keep;
        if (type === MessageType.CLOSE)
          this.#standings.set(address, { kind: "waiting", messages: [], loginBytes: 0 });
        return { kind: "member", member, type, decoder };
      }
      default:
        return standing satisfies never;
    }
  }

  /** Hocuspocus has let the client in. Returns what waited for that. */
  entered(member: Member): readonly Uint8Array[] {
    const waiting = this.#waitingFor(member.messageAddress);
    this.#standings.set(member.messageAddress, { kind: "inside", member });
    return waiting;
  }

  /** Hocuspocus has let go of the address, or never took it. Returns what waited for that. */
  left(address: string): readonly Uint8Array[] {
    const waiting = this.#waitingFor(address);
    this.#standings.delete(address);
    return waiting;
  }

  /** In no room; perhaps on its way into one. */
  get isOutside(): boolean {
    return !this.#standings.values().some(({ kind }) => kind === "inside");
  }

  /** Neither in a room nor on its way into one. */
  get isEmpty(): boolean {
    return this.#standings.size === 0;
  }

  /** The client is gone: nothing waits any more. */
  release(): void {
    for (const address of this.#standings.keys()) this.left(address);
  }

  #logIn(address: string, { byteLength }: Uint8Array): Verdict {
    if (byteLength > MAX_LOGIN_BYTES) return refuse(address, closeReasons.tokenInvalid);
    if (!this.#waiting.take(byteLength)) return busy;
    this.#standings.set(address, { kind: "waiting", messages: [], loginBytes: byteLength });
    return pass;
  }

  #wait(messages: Uint8Array[], message: Uint8Array): Verdict {
    const { byteLength } = message;
    if (messages.length >= MAX_WAITING || this.#waitingBytes + byteLength > MAX_WAITING_BYTES) return broken;
    if (!this.#waiting.take(byteLength)) return busy;
    this.#waitingBytes += byteLength;
    messages.push(message);
    return keep;
  }

  #waitingFor(address: string): readonly Uint8Array[] {
    const standing = this.#standings.get(address);
    if (standing?.kind !== "waiting") return [];
    const bytes = standing.messages.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#waitingBytes -= bytes;
    this.#waiting.give(bytes + standing.loginBytes);
    return standing.messages;
  }
}

function refuse(address: string, closeReason: CloseReason): Verdict {
  return { kind: "refuse", address, closeReason };
}
