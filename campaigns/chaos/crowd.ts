/** The people in all rooms: always so many in each. Whoever goes for good is replaced by somebody who knows nothing. */
import * as prng from "lib0/prng";
import type { Ledger } from "./ledger.ts";
import { Person, type Entrance } from "./person.ts";

const PEOPLE_A_ROOM = 4;

export interface CrowdOptions {
  readonly ledger: Ledger;
  readonly seed: number;
  /** The instances that let people in now. */
  readonly entrances: () => readonly Entrance[];
}

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #random: prng.PRNG;
  #people: Person[] = [];
  #count = 0;
  #isTyping = false;
  /** Final refusals that anybody has met. */
  readonly denials: string[] = [];

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#random = prng.create(options.seed);
  }

  get people(): readonly Person[] {
    return this.#people;
  }

  in(room: string): Person[] {
    return this.#people.filter((person) => person.room === room);
  }

  start(): void {
    this.#isTyping = true;
    this.#options.ledger.resume();
    for (const person of this.#people) person.start();
  }

  pause(): void {
    this.#isTyping = false;
    for (const person of this.#people) person.stop();
  }

  /** Some of those who are there go for good, at this moment. */
  leave(isMeant: (person: Person) => boolean = () => true): void {
    const leaving = this.#people.filter(isMeant);
    this.#people = this.#people.filter((person) => !leaving.includes(person));
    for (const person of leaving) {
      this.denials.push(...person.denials);
      person.leave();
    }
  }

  /** So large a part of those who are at an instance. */
  leaveWith(entrance: Entrance, share: number): void {
    this.leave((person) => person.at === entrance && prng.real53(this.#random) < share);
  }

  fill(): void {
    for (const room of this.#options.ledger.rooms)
      for (let missing = PEOPLE_A_ROOM - this.in(room).length; missing > 0; missing--)
        this.#people.push(this.#newcomer(room));
  }

  #newcomer(room: string): Person {
    const { ledger, entrances } = this.#options;
    const count = this.#count++;
    const person = new Person({
      name: `p${count}`,
      room,
      ledger,
      seed: this.#options.seed + count,
      choose: () => {
        const open = entrances();
        return open.length > 0 ? prng.oneOf(this.#random, [...open]) : null;
      },
    });
    if (this.#isTyping) person.start();
    return person;
  }
}
