/**
 * Somebody with the real `HocuspocusProvider` who types in one room, also while nothing is saved or the connection is gone, and is let in
 * by any instance that is there, as behind a load balancer: at another one after each loss.
 */
import {
  HocuspocusProvider,
  type CompleteHocuspocusProviderWebsocketConfiguration,
} from "@hocuspocus/provider";
import jwt from "jsonwebtoken";
import * as prng from "lib0/prng";
import type * as Y from "yjs";
import type { Edit, Ledger, Line } from "./ledger.ts";

export const JWT_SECRET = "chaos-jwt-secret-0123456789abcdef0123";

/** Between two edits of one person, at most. */
const LONGEST_PAUSE_MS = 250;
/** A person who sees nothing saved stops typing after so many edits. */
const MOST_OUTSTANDING = 30;
/** One of so many edits deletes a line. */
const DELETE_EVERY = 6;
/** Lines go to the end, behind what somebody else has just written there, or anywhere. */
const ANYWHERE_EVERY = 3;

/** Where a person is let in. */
export interface Entrance {
  /** `ws://…` */
  readonly url: string;
}

export interface PersonOptions {
  /** Unique in the run. */
  readonly name: string;
  readonly room: string;
  readonly ledger: Ledger;
  readonly seed: number;
  /** The instance for the next connection; null when there is none. */
  readonly choose: () => Entrance | null;
}

export class Person {
  readonly name: string;
  readonly room: string;
  readonly provider: HocuspocusProvider;
  /** Final refusals: there is none to be had. */
  readonly denials: string[] = [];
  at: Entrance | null = null;
  readonly #options: PersonOptions;
  readonly #random: prng.PRNG;
  /** Lines that are saved, and not deleted. */
  readonly #own: Line[] = [];
  #outstanding: Edit[] = [];
  #count = 0;
  #hasBeenInside = false;
  #typing: NodeJS.Timeout | null = null;

  constructor(options: PersonOptions) {
    const { name, room, seed, choose } = options;
    this.#options = options;
    this.#random = prng.create(seed);
    this.name = name;
    this.room = room;
    const goTo = (): string => (this.at = choose())?.url ?? "ws://127.0.0.1:1";
    const socket: Partial<CompleteHocuspocusProviderWebsocketConfiguration> = {
      // The provider asks for the same address at each attempt; a load balancer is behind it.
      WebSocketPolyfill: class extends WebSocket {
        constructor() {
          super(goTo());
        }
      },
      delay: 200,
      minDelay: 100,
      maxDelay: 1000,
    };
    this.provider = new HocuspocusProvider({
      ...socket,
      url: "ws://any",
      name: room,
      token: jwt.sign({ sub: name, name, rooms: { "*": "write" } }, JWT_SECRET),
    });
    this.provider.awareness?.setLocalState({ name });
    this.provider.on("unsyncedChanges", ({ number }: { number: number }) => this.#onUnsynced(number));
    this.provider.on("authenticationFailed", ({ reason }: { reason: string }) => this.denials.push(reason));
  }

  get document(): Y.Doc {
    return this.provider.document;
  }

  get lines(): Y.Array<string> {
    return linesOf(this.document);
  }

  /** In the room, and told that everything is saved. */
  get isSettled(): boolean {
    return this.provider.synced && !this.provider.hasUnsyncedChanges;
  }

  /** Clients that are in the room as this person sees it, in order. */
  get seen(): string {
    return [...(this.provider.awareness?.getStates().keys() ?? [])].toSorted((a, b) => a - b).join();
  }

  start(): void {
    const next = (): void => {
      this.#typing = setTimeout(
        () => {
          if (this.#hasBeenInside && this.#outstanding.length < MOST_OUTSTANDING) this.#type();
          next();
        },
        prng.int53(this.#random, 5, LONGEST_PAUSE_MS),
      );
    };
    this.stop();
    next();
  }

  stop(): void {
    if (this.#typing) clearTimeout(this.#typing);
    this.#typing = null;
  }

  /** For good, with all that only this person had. */
  leave(): void {
    this.stop();
    this.provider.destroy();
    this.document.destroy();
  }

  #onUnsynced(number: number): void {
    if (number > 0) return;
    this.#hasBeenInside = true;
    const saved = this.#outstanding;
    this.#outstanding = [];
    for (const edit of saved) {
      this.#options.ledger.acknowledge(edit);
      if (!edit.isDeletion) this.#own.push(edit.line);
    }
  }

  #type(): void {
    const random = this.#random;
    const { lines } = this;
    if (this.#own.length > 3 && prng.int53(random, 1, DELETE_EVERY) === 1) {
      const [line] = this.#own.splice(prng.int53(random, 0, this.#own.length - 1), 1);
      const index = line ? lines.toArray().indexOf(line.text) : -1;
      // Not there: a look at everything says so, not a page that goes wrong.
      if (!line || index < 0) return;
      this.#outstanding.push(this.#options.ledger.delete(line));
      lines.delete(index, 1);
      return;
    }
    const text = `${this.name}.${this.#count++}`;
    const isAnywhere = prng.int53(random, 1, ANYWHERE_EVERY) === 1;
    this.#outstanding.push(this.#options.ledger.write(this.room, text));
    lines.insert(isAnywhere ? prng.int53(random, 0, lines.length) : lines.length, [text]);
  }
}

export function linesOf(document: Y.Doc): Y.Array<string> {
  return document.getArray<string>("lines");
}
