/**
 * What is said where on Redis, and what is kept there: one key, so that a Redis that comes back empty lacks nothing.
 *
 *   <prefix>:<room>            edits, presence and questions about a room; the channel of `@hocuspocus/extension-redis`
 *   <prefix>#reply:<instance>  answers to the one who asked
 *   <prefix>#instances         heartbeats
 *   <prefix>#orders            orders of the backend
 *   <prefix>#store             the key: the store that all have
 */
export class RedisNames {
  readonly instances: string;
  readonly orders: string;
  readonly storeKey: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.instances = `${prefix}#instances`;
    this.orders = `${prefix}#orders`;
    this.storeKey = `${prefix}#store`;
  }

  room(room: string): string {
    return `${this.#prefix}:${room}`;
  }

  reply(instance: string): string {
    return `${this.#prefix}#reply:${instance}`;
  }
}
