/**
 * The people of one room on Redis: what they show here is said there, and whoever is not heard of is asked after. What was to be said and was
 * not is said at the next comparison.
 */
import type { Document } from "@hocuspocus/server";
import { RemotePeople } from "./remote-people.ts";
import { RollCall } from "./roll-call.ts";
import { peopleOf, questionForPeople } from "./room-words.ts";

/** Who left while Redis was away longer than 30 s is gone at the other instances anyway. */
const MAX_UNTOLD = 1000;

export interface RoomPeopleOptions {
  readonly document: Document;
  /** To all that have the room. Never throws. */
  readonly publish: (message: Uint8Array, onLost: () => void) => void;
  readonly reply: (instance: string, message: Uint8Array) => void;
  /** Something was not said: the room is to be compared soon. */
  readonly onLost: () => void;
}

export class RoomPeople {
  readonly #options: RoomPeopleOptions;
  readonly #remote: RemotePeople;
  readonly #rollCall = new RollCall();
  /** Clients whose last change was not published. */
  readonly #untold = new Set<number>();

  constructor(options: RoomPeopleOptions) {
    this.#options = options;
    this.#remote = new RemotePeople(options.document);
  }

  /** From now on what they show is said. */
  open(): void {
    const { awareness } = this.#options.document;
    awareness.on("update", (change: Parameters<RemotePeople["changedHere"]>[0], origin: unknown) => {
      this.#tell(this.#remote.changedHere(change, origin));
    });
  }

  get hasUnsaid(): boolean {
    return this.#untold.size > 0;
  }

  /** The user who is seen with this client id and is elsewhere, if a server has signed what is seen. */
  userElsewhere(client: number): string | undefined {
    return this.#remote.userOf(client);
  }

  tellAll(): void {
    this.#tell(this.#remote.here());
  }

  compare(now: number): void {
    const { document, publish, onLost } = this.#options;
    const untold = [...this.#untold];
    this.#untold.clear();
    this.#tell(untold);
    publish(questionForPeople(document.name), onLost);
    this.#rollCall.begin(this.#remote.instances, now);
  }

  lookAfter(now: number): void {
    for (const instance of this.#rollCall.silent(now))
      if (this.#remote.instances.has(instance)) this.ask(instance);
      else this.#rollCall.answered(instance);
  }

  ask(instance: string): void {
    const { document, reply } = this.#options;
    reply(instance, questionForPeople(document.name));
  }

  /** @param byName where this instance is meant: then that nobody is here is an answer as well. For all rooms that nobody is in it would be many. */
  answer(instance: string, { byName }: { readonly byName: boolean }): void {
    const { document, reply } = this.#options;
    const here = this.#remote.here();
    if (here.length > 0 || byName) reply(instance, peopleOf(document, this.#remote.told(here)));
  }

  /**
   * @param isAnswer to a question of ours: then it names all who are there.
   * @throws Error when it is no awareness update.
   */
  receive(
    update: Uint8Array,
    { from, isAnswer }: { readonly from: string; readonly isAnswer: boolean },
  ): void {
    this.#remote.receive(update, from, { areAll: isAnswer });
    if (isAnswer) this.#rollCall.answered(from);
  }

  /** Nobody is there any more. */
  removeAllOf(instance: string): void {
    this.#remote.removeAllOf(instance);
  }

  /** What these clients show, or that they are gone. */
  #tell(clients: readonly number[]): void {
    const { document, publish, onLost } = this.#options;
    // Of one who left so long ago that its clock is forgotten, the others know by themselves.
    const known = clients.filter((client) => document.awareness.meta.has(client));
    if (known.length === 0) return;
    publish(peopleOf(document, this.#remote.told(known)), () => {
      for (const client of known) if (this.#untold.size < MAX_UNTOLD) this.#untold.add(client);
      onLost();
    });
  }
}
