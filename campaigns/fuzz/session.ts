/** One hostile client's life: a few messages, most of them damaged in some way, on one socket. */
import * as fc from "fast-check";
import { login, message } from "./messages.ts";

export interface Session {
  readonly messages: readonly Uint8Array[];
  /** Ended by a reset, as a crash of the client would, and not in order. */
  readonly isCutOff: boolean;
}

const LONGEST_SESSION = 40;

type Damage = (bytes: Uint8Array) => Uint8Array;

const intact: Damage = (bytes) => bytes;

/** What a bit of noise, a bug or an attacker makes of a message. */
const damage: fc.Arbitrary<Damage> = fc.oneof(
  { arbitrary: fc.constant(intact), weight: 4 },
  fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 8 }).map((flips): Damage => (bytes) => {
    const damaged = Uint8Array.from(bytes);
    for (const [at, bit] of flips) if (bytes.length > 0) (damaged[at % bytes.length] as number) ^= 1 << bit;
    return damaged;
  }),
  fc.nat().map(
    (end): Damage =>
      (bytes) =>
        bytes.slice(0, end % (bytes.length + 1)),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (tail): Damage =>
      (bytes) =>
        Uint8Array.of(...bytes, ...tail),
  ),
  fc.uint8Array({ maxLength: 200 }).map(
    (noise): Damage =>
      () =>
        noise,
  ),
  // A length or a count that is far too large: up to 2^53 in one variable-length number.
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 7 })).map(([at, count]): Damage => (bytes) => {
    const start = at % (bytes.length + 1);
    return Uint8Array.of(
      ...bytes.slice(0, start),
      ...Array<number>(count).fill(0xff),
      0x01,
      ...bytes.slice(start + 1),
    );
  }),
  fc.tuple(fc.nat(), fc.nat(60)).map(([at, length]): Damage => (bytes) => {
    const start = at % (bytes.length + 1);
    const slice = bytes.slice(start, start + length);
    return Uint8Array.of(...bytes.slice(0, start), ...slice, ...slice, ...bytes.slice(start));
  }),
);

const damaged = fc.tuple(message, damage).map(([bytes, apply]) => apply(bytes));

export const session: fc.Arbitrary<Session> = fc
  .record({
    // Most get in; what a stranger can send is soon said.
    beginning: fc.constantFrom(
      [login("fuzzed")],
      [login("fuzzed")],
      [login("fuzzed"), login("fuzzed-2")],
      [],
    ),
    messages: fc.array(damaged, { minLength: 1, maxLength: LONGEST_SESSION, size: "max" }),
    isCutOff: fc.boolean(),
  })
  .map(({ beginning, messages, isCutOff }) => ({ messages: [...beginning, ...messages], isCutOff }));
