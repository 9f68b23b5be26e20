/** Redis, Postgres and the instances, all real and all of this run's own, and what each fault does to them. */
import { setTimeout as delay } from "node:timers/promises";
import { PostgresCluster } from "../../test/support/postgres-cluster.ts";
import type { RedisProcess } from "../../test/support/redis-process.ts";
import type { Crowd } from "./crowd.ts";
import type { Strike } from "./fault-plan.ts";
import { Instance } from "./instance.ts";
import type { Entrance } from "./person.ts";

/** Not started, or empty. It is stopped in the end. */
export type Redis = Pick<RedisProcess, "port" | "start" | "stop" | "freeze" | "thaw">;

export interface WorldOptions {
  readonly redis: Redis;
  readonly instances: number;
  readonly onProblem: (problem: string) => void;
}

export class World {
  readonly #redis: Redis;
  readonly #postgres = new PostgresCluster();
  readonly #options: WorldOptions;
  #instances: Instance[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#redis = options.redis;
  }

  async start(): Promise<void> {
    this.#postgres.create();
    await Promise.all([this.#redis.start(), this.#postgres.start()]);
    const { onProblem } = this.#options;
    const { port: redisPort } = this.#redis;
    const { databaseUrl } = this;
    this.#instances = await Promise.all(
      Array.from({ length: this.#options.instances }, (_, index) =>
        Instance.create({ name: `instance ${index}`, redisPort, databaseUrl, onProblem }),
      ),
    );
    await Promise.all(this.#instances.map((instance) => instance.start()));
  }

  /** Not by way of any instance. */
  get databaseUrl(): string {
    return this.#postgres.urlOf("postgres");
  }

  /** Where people are let in now. */
  get entrances(): readonly Entrance[] {
    return this.#instances.flatMap(({ entrance }) => entrance ?? []);
  }

  get output(): string {
    return this.#instances.map(({ name, output }) => `${name}:\n${output}`).join("\n");
  }

  /** Resolves when the fault is over: everything runs again, and has perhaps not recovered yet. */
  async strike(strike: Strike, crowd: Crowd): Promise<void> {
    const { fault, ms, direction, delayMs, leaving } = strike;
    const instance = this.#victim(strike.instance, crowd);
    switch (fault) {
      case "kill":
        return this.#kill(instance, { ms, leaving, crowd });
      case "term":
        await instance.terminate();
        await delay(ms);
        return instance.start();
      case "stall":
        return during(ms, { begin: () => instance.freeze(), end: () => instance.thaw() });
      case "worker":
        instance.endStorageWorkers();
        return delay(ms);
      case "orphan":
        instance.postgres.hold("toServer");
        await delay(ms);
        return this.#kill(instance, { ms: 0, leaving, crowd });
      case "cut":
        return during(ms, { begin: () => instance.redis.cut(), end: () => instance.redis.heal() });
      case "mute":
        return during(ms, { begin: () => instance.redis.hold("toServer"), end: () => instance.redis.heal() });
      case "deaf":
        return during(ms, { begin: () => instance.redis.hold("toClient"), end: () => instance.redis.heal() });
      case "hole":
        return during(ms, {
          begin: () => instance.redis.hold("toServer", "toClient"),
          end: () => instance.redis.heal(),
        });
      case "slow":
        return during(ms, {
          begin: () => instance.redis.delay(direction, delayMs),
          end: () => instance.redis.heal(),
        });
      case "redis-kill":
        await this.#redis.stop();
        await delay(ms);
        return this.#redis.start();
      case "redis-freeze":
        return during(ms, { begin: () => this.#redis.freeze(), end: () => this.#redis.thaw() });
      case "postgres-kill":
        await this.#postgres.kill();
        await delay(ms);
        return this.#postgres.start();
      case "postgres-freeze":
        return during(ms, { begin: () => this.#postgres.freeze(), end: () => this.#postgres.thaw() });
      case "postgres-hole":
        return during(ms, {
          begin: () => instance.postgres.hold("toServer", "toClient"),
          end: () => instance.postgres.heal(),
        });
    }
  }

  /** In good order, all at once. */
  async terminate(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.terminate()));
  }

  /** Also after a failure. */
  async close(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.close()));
    this.#redis.thaw();
    await this.#redis.stop();
    await this.#postgres.remove();
  }

  /** The next one where there are people: whoever they are has to be harmed by it. */
  #victim(index: number, crowd: Crowd): Instance {
    const [first, ...others] = [...this.#instances.slice(index), ...this.#instances.slice(0, index)];
    if (!first) throw new Error("No instance");
    const isVisited = ({ entrance }: Instance): boolean => crowd.people.some(({ at }) => at === entrance);
    return [first, ...others].find(isVisited) ?? first;
  }

  async #kill(
    instance: Instance,
    { ms, leaving, crowd }: { readonly ms: number; readonly leaving: number; readonly crowd: Crowd },
  ): Promise<void> {
    const { entrance, gone } = instance.kill();
    if (entrance) crowd.leaveWith(entrance, leaving);
    // Its machine has gone with it: what it had sent and is still on its way does not arrive any more.
    instance.postgres.cut();
    instance.postgres.heal();
    await gone;
    await delay(ms);
    if (leaving < 1) crowd.fill();
    await instance.start();
  }
}

async function during(
  ms: number,
  { begin, end }: { readonly begin: () => void; readonly end: () => void },
): Promise<void> {
  begin();
  await delay(ms);
  end();
}
