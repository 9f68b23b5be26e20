/**
 * How much memory all open rooms take together, and who may add to it. MAX_DOCUMENT_BYTES bounds one room; a hundred rooms on one socket, each
 * filled with ten-byte elements, would be gigabytes.
 *
 * Nobody alone gets more than half. While there is more than enough, that is all. Once three quarters are taken, rooms that wait empty go at
 * once, and the last quarter is divided among all users: who is below their equal part goes on, others are told to come back. What counts is,
 * for an edit, what a user has written into open rooms, and for a room to be loaded, also what their coming has loaded before. So an honest
 * room goes on being edited while somebody else sits at the bound.
 */
import { isTransactionOrigin, type Document } from "@hocuspocus/server";
import { closeReasons, type CloseReason } from "../lib/close-reasons.ts";
import type { Identity } from "../lib/identity.ts";
import type { Log } from "../lib/log.ts";
import { Refusal } from "../lib/refusal.ts";
import { MemoryAccounts, type Account } from "./memory-accounts.ts";

/**
 * What an element of a Yjs document costs beside its bytes. Measured on Node 26 with Yjs 13.6: 200 for a piece of text, 440 for a map's entry, 585 to 700
 * for a nested type; a list of tasks comes to 473, which is 18 bytes of memory for each byte on disk.
 */
export const ELEMENT_BYTES = 500;

const PRESSURE = 3 / 4;
const MAX_OF_USER = 1 / 2;

/** Below this part of it, pressure is over: a room more or less is no news. */
const RELIEVED = 0.9;

export interface RoomMemoryOptions {
  readonly maxRoomsBytes: number;
  /** About how large a room is in the store, bytes. */
  readonly storedBytes: (room: string) => number;
  /** Merges the room, after which its size is known without what was deleted. */
  readonly remeasure: (room: string) => void;
  /** Lets rooms go in which nobody is. */
  readonly onPressure: () => void;
  readonly log: Log;
}

/** What is compared with a user's equal part. */
const written = ({ wrote }: Account): number => wrote;
const all = ({ opened, wrote }: Account): number => opened + wrote;

export class RoomMemory {
  readonly #options: RoomMemoryOptions;
  readonly #accounts = new MemoryAccounts();
  #isPressed = false;

  constructor(options: RoomMemoryOptions) {
    this.#options = options;
  }

  /** Of all rooms, as estimated. */
  get bytes(): number {
    return this.#accounts.bytes;
  }

  /** Whether there is no place for rooms in which nobody is. */
  get isPressed(): boolean {
    return this.#isPressed;
  }

  /**
   * To be asked before a stored room is put into memory; it counts from then on, until its document is destroyed.
   * @param user whose coming loads it; undefined where it is the server itself, which is refused nothing.
   * @throws Refusal
   */
  open(
    document: Document,
    { user, bytes }: { readonly user: string | undefined; readonly bytes: number },
  ): void {
    if (user !== undefined && this.#refusal(user, bytes, all)) {
      this.#options.onPressure();
      // Never for good: rooms of theirs in which nobody is any more go with the next turn.
      throw new Refusal(closeReasons.memoryFull);
    }
    this.#accounts.open(document.name, { user: user ?? "", bytes });
    // Destroyed in the step in which it is taken out, also where it is discarded: it has no successor yet.
    document.on("destroy", () => this.#close(document.name));
    this.#look();
  }

  /** It is in memory. What is written in it from now on is its writers'. To be called when `storedBytes` follows its updates. */
  loaded(document: Document): void {
    this.#measure(document);
    document.on("update", (_update: Uint8Array, origin: unknown) => {
      const isFromClient = isTransactionOrigin(origin) && origin.source === "connection";
      // A team's hook may have spoilt the context, and a throw from here would leave Yjs with a dead document.
      const user = isFromClient ? (origin.connection.context as Partial<Identity>).user?.id : undefined;
      this.#measure(document, user ?? "");
    });
  }

  /**
   * To be asked before an update is applied that adds something: what only deletes always fits.
   * @param elements that the update brings.
   * @throws Refusal
   */
  ensureFits(
    document: Document,
    { user, bytes, elements }: { readonly user: string; readonly bytes: number; readonly elements: number },
  ): void {
    const more = bytes + elements * ELEMENT_BYTES;
    if (!this.#refusal(user, more, written)) return;
    // Perhaps it is less by now: much was deleted, or merged.
    this.#measure(document);
    const refusal = this.#refusal(user, more, written);
    if (!refusal) return;
    this.#options.remeasure(document.name);
    throw new Refusal(refusal);
  }

  #refusal(user: string, more: number, counted: (account: Account) => number): CloseReason | null {
    const { maxRoomsBytes: max } = this.#options;
    const account = this.#accounts.of(user);
    if (all(account) + more > max * MAX_OF_USER) return closeReasons.tooMuchOpen;
    if (this.bytes + more <= max * PRESSURE) return null;
    const part = (max * (1 - PRESSURE)) / Math.max(1, this.#accounts.users);
    return this.bytes + more > max || counted(account) + more > part ? closeReasons.memoryFull : null;
  }

  #measure(document: Document, writer?: string): void {
    let elements = 0;
    // As many steps as the document has client ids; Yjs takes three times as many for each transaction.
    for (const structs of document.store.clients.values()) elements += structs.length;
    const bytes = this.#options.storedBytes(document.name) + elements * ELEMENT_BYTES;
    this.#accounts.measure(document.name, { bytes, ...(writer !== undefined && { writer }) });
    this.#look();
  }

  #close(room: string): void {
    this.#accounts.close(room);
    this.#look();
  }

  #look(): void {
    const { maxRoomsBytes: max, log, onPressure } = this.#options;
    const { bytes } = this;
    if (!this.#isPressed && bytes > max * PRESSURE) {
      this.#isPressed = true;
      log.warn(
        { event: "memory", memory: "short", bytes, max, rooms: this.#accounts.rooms },
        "🐘 Open rooms take three quarters of MAX_ROOMS_BYTES; empty ones go at once",
      );
      onPressure();
    } else if (this.#isPressed && bytes < max * PRESSURE * RELIEVED) {
      this.#isPressed = false;
      log.info({ event: "memory", memory: "ok", bytes, max }, "🐘 There is room for rooms again");
    }
  }
}
