/**
 * Instances on one Redis must have one store: each would otherwise acknowledge edits that a reader of the other's never sees. So the first
 * writes down which store it is, for as long as anybody with it is there, and one that has another does not take part.
 */
import type { RedisLink } from "./redis-link.ts";

/** So long after the last of them has ended, instances with another store may begin. */
const LEASE_MS = 15_000;

export class OtherStore extends Error {
  override readonly name = "OtherStore";
}

export class StoreAgreement {
  readonly #key: string;
  readonly #identity: string;
  #conflict: OtherStore | null = null;

  constructor({ key, identity }: { readonly key: string; readonly identity: string }) {
    this.#key = key;
    this.#identity = identity;
  }

  /** Null as long as nobody is known to have another store. */
  get conflict(): OtherStore | null {
    return this.#conflict;
  }

  /**
   * Agrees with the others, and says that this instance is still there.
   * @throws OtherStore
   * @throws Error when Redis does not answer.
   */
  async renew({ commands }: Pick<RedisLink, "commands">): Promise<void> {
    const set = await commands.set(this.#key, this.#identity, "PX", LEASE_MS, "NX");
    // Null: it ran out between the two, and the next renewal writes it.
    const agreed = set === "OK" ? this.#identity : await commands.get(this.#key);
    if (agreed !== null && agreed !== this.#identity) {
      throw (this.#conflict = new OtherStore(
        `The instances on this Redis (key ${this.#key}) have another store: give all the same DATABASE_URL, or this one another REDIS_PREFIX`,
      ));
    }
    this.#conflict = null;
    if (set !== "OK") await commands.pexpire(this.#key, LEASE_MS);
  }
}
