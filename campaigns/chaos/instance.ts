/** One of the instances: a real server that is started again whenever it ends, and its own ways to Redis and Postgres. */
import { setTimeout as delay } from "node:timers/promises";
import { TcpProxy } from "../../test/support/tcp-proxy.ts";
import { within } from "../deadline.ts";
import { ServerChild, type ServerEnd } from "../server-child.ts";
import { JWT_SECRET, type Entrance } from "./person.ts";

export const SHUTDOWN_SECONDS = 10;
/** How much later a stop may come on a busy machine. */
const SLACK_MS = 3000;
/** A start needs Postgres; an orchestrator would try again as well. */
const RESTART_MS = 300;
const START_MS = 60_000;

/** With a way in for the death of its storage workers. */
const ENTRY = "campaigns/crash/mortal-server.ts";

export interface InstanceOptions {
  readonly name: string;
  readonly redisPort: number;
  readonly databaseUrl: string;
  readonly onProblem: (problem: string) => void;
}

export class Instance {
  readonly name: string;
  readonly redis: TcpProxy;
  readonly postgres: TcpProxy;
  readonly #options: InstanceOptions;
  readonly #databaseUrl: string;
  #server: ServerChild | null = null;
  /** Null unless it lets people in. */
  entrance: Entrance | null = null;
  #frozen: Entrance | null = null;
  #isMeantToEnd = true;

  private constructor(
    options: InstanceOptions,
    ways: { readonly redis: TcpProxy; readonly postgres: TcpProxy },
  ) {
    this.#options = options;
    this.name = options.name;
    this.redis = ways.redis;
    this.postgres = ways.postgres;
    const url = new URL(options.databaseUrl);
    url.port = `${ways.postgres.port}`;
    this.#databaseUrl = url.href;
  }

  static async create(options: InstanceOptions): Promise<Instance> {
    const redis = await TcpProxy.to(options.redisPort);
    const postgres = await TcpProxy.to(Number(new URL(options.databaseUrl).port));
    return new Instance(options, { redis, postgres });
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const starting = (async () => {
      while (!this.entrance) if (!(await this.#tryToStart())) await delay(RESTART_MS);
    })();
    await within(START_MS, () => `start of ${this.name}\n${this.output}`, starting);
  }

  get output(): string {
    return this.#server?.output ?? "";
  }

  /** Without a last word. Returns where people were let in, at once; `gone` resolves when the process has ended. */
  kill(): { readonly entrance: Entrance | null; readonly gone: Promise<unknown> } {
    const { entrance } = this;
    return { entrance, gone: this.#end("SIGKILL") };
  }

  /** In good order; whatever else is found is a problem. */
  async terminate(): Promise<void> {
    const server = this.#server;
    const startedAt = performance.now();
    const ending = this.#end("SIGTERM");
    const longestMs = SHUTDOWN_SECONDS * 1000 + SLACK_MS;
    const end = await within(longestMs, () => `SIGTERM of ${this.name}`, ending).catch(async () => {
      await this.#end("SIGKILL");
      return null;
    });
    if (end?.code === 0) return;
    const ms = Math.round(performance.now() - startedAt);
    this.#options.onProblem(
      `${this.name}: SIGTERM ended with ${end ? (end.code ?? end.signal) : "nothing"} after ${ms} ms\n${server?.output}`,
    );
  }

  /** Nobody is sent here while it stands still: a load balancer looks after that. */
  freeze(): void {
    this.#frozen = this.entrance;
    this.entrance = null;
    this.#server?.signal("SIGSTOP");
  }

  thaw(): void {
    this.#server?.signal("SIGCONT");
    this.entrance = this.#frozen;
  }

  endStorageWorkers(): void {
    this.#server?.signal("SIGUSR2");
  }

  async close(): Promise<void> {
    await this.#end("SIGKILL");
    await Promise.all([this.redis.close(), this.postgres.close()]);
  }

  async #tryToStart(): Promise<boolean> {
    const server = new ServerChild(ENTRY, {
      DATABASE_URL: this.#databaseUrl,
      REDIS_URL: `redis://127.0.0.1:${this.redis.port}`,
      AUTH_MODE: "jwt",
      JWT_SECRET,
      SHUTDOWN_SECONDS: `${SHUTDOWN_SECONDS}`,
      // Rooms come and go at the instances all the time.
      ROOM_IDLE_SECONDS: "1",
      MAX_CONNECTIONS_PER_IP: "10000",
    });
    this.#server = server;
    this.#isMeantToEnd = false;
    try {
      const url = await server.listening;
      this.entrance = { url };
    } catch {
      return false;
    }
    void server.ended.then(({ code, signal }) => {
      if (this.#server !== server) return;
      this.entrance = null;
      if (!this.#isMeantToEnd)
        this.#options.onProblem(`${this.name} ended by itself with ${code ?? signal}\n${server.output}`);
    });
    return true;
  }

  async #end(signal: NodeJS.Signals): Promise<ServerEnd | null> {
    this.#isMeantToEnd = true;
    this.entrance = null;
    this.#server?.signal(signal);
    return (await this.#server?.ended) ?? null;
  }
}
