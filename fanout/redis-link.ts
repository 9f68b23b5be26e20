/**
 * Two connections to Redis, one that speaks and one that listens, and the one question about them that counts: are both of use now? While
 * they are not, nothing waits for them: whatever would go out is lost at once, and whoever sent it makes up for it when they are back.
 *
 * ioredis by itself queues commands for ever, sends them again after a reconnect, reports an error for each attempt, and takes a frozen
 * server for a slow one. Each of these is off here, or is looked after by `Instances`, which hears when the link says nothing any more.
 */
import { Redis, type RedisOptions } from "ioredis";
import type { Log } from "../lib/log.ts";
import { Publications } from "./publications.ts";

/** An answer takes a millisecond. Rooms wait for some at their load. */
const ANSWER_TIMEOUT_MS = 1000;
const CONNECT_TIMEOUT_MS = 2000;
/** A frozen server does not close its end: ours is then cut. */
const DISCONNECT_TIMEOUT_MS = 100;

/** Between attempts, and up to twice that: many instances lose the same Redis at the same moment. */
const RETRY_MS = 250;

/** What may wait to be taken by a Redis that is slow. Beyond, publishes are lost, and rooms made equal afterwards. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Channels in one command: ten thousand rooms come back without a long stall of Redis. */
const CHANNELS_A_COMMAND = 500;

export interface RedisLinkOptions {
  readonly url: string;
  readonly log: Log;
  readonly onMessage: (channel: string, payload: Buffer) => void;
  /** Both connections work: decides whether they may be used. A rejection is like a lost connection. */
  readonly beforeUp: (link: RedisLink) => Promise<void>;
  readonly onUp: () => void;
}

export class RedisLink {
  readonly #options: RedisLinkOptions;
  readonly #speaker: Redis;
  readonly #listener: Redis;
  readonly #publications: Publications;
  readonly #channels = new Set<string>();
  #state: "unknown" | "up" | "down" = "unknown";
  /** Changes whenever a connection is lost: what began before is then not gone on with. */
  #epoch = 0;
  #stopped = false;
  #waitingBytes = 0;
  #lastError: Error | null = null;
  #published = 0;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.#speaker = this.#connection();
    this.#listener = this.#connection();
    this.#publications = new Publications({
      send: async (channel, payload) => {
        if (!this.isUp) throw new Error("Redis is not there");
        return this.#speaker.publish(channel, payload);
      },
      together: (sendAll) => this.#together(sendAll),
    });
    this.#listener.on("messageBuffer", (channel: Buffer, payload: Buffer) => {
      if (!this.#stopped) options.onMessage(channel.toString(), payload);
    });
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Since the start: what Redis was given. */
  get published(): number {
    return this.#published;
  }

  /** Why it is not up. */
  get trouble(): string {
    return this.#lastError?.message ?? "no connection yet";
  }

  connect(): void {
    // A failure is the first of many attempts, and reported as an event.
    for (const connection of [this.#speaker, this.#listener]) connection.connect().catch(() => {});
  }

  /**
   * Resolves with the number of connections that it was sent to, this one included where it listens to the channel.
   * @throws Error when the link is down, or too slow.
   */
  async publish(channel: string, payload: Buffer): Promise<number> {
    if (!this.isUp) throw new Error("Redis is not there");
    if (this.#waitingBytes > MAX_WAITING_BYTES) throw new Error("Redis is too slow");
    this.#waitingBytes += payload.byteLength;
    this.#published++;
    try {
      return await this.#publications.publish(channel, payload);
    } finally {
      this.#waitingBytes -= payload.byteLength;
    }
  }

  /** From now on, whenever the link is up. Resolves when it is so, at once where it is down. */
  async subscribe(channel: string): Promise<void> {
    this.#channels.add(channel);
    if (this.isUp) await this.#listener.subscribe(channel);
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    // Not only when it is up: a subscription that stayed would count as an instance that has the room. Where it fails the connection is gone.
    if (this.#listener.status === "ready") this.#listener.unsubscribe(channel).catch(() => {});
  }

  /** Plain commands, for whoever decides whether the link may be used. Reject after a second. */
  get commands(): Pick<Redis, "get" | "set" | "pexpire"> {
    return this.#speaker;
  }

  /** Both connections anew: they are open, and nothing comes over them. */
  restart(reason: string): void {
    this.#lost(new Error(reason));
    for (const connection of [this.#speaker, this.#listener]) connection.disconnect(true);
  }

  stop(): void {
    this.#stopped = true;
    this.#state = "down";
    for (const connection of [this.#speaker, this.#listener]) connection.disconnect();
  }

  /**
   * Not by ioredis' automatic pipelines: those wait for the answers to what was sent before, which makes edits late, and each publish costs more.
   */
  #together(sendAll: () => void): void {
    const { stream } = this.#speaker;
    stream.cork();
    sendAll();
    stream.uncork();
  }

  #connection(): Redis {
    const options: RedisOptions = {
      lazyConnect: true,
      connectionName: "righttask-collab",
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: ANSWER_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      retryStrategy: () => RETRY_MS * (1 + Math.random()),
    };
    const connection = new Redis(this.#options.url, options);
    connection.on("error", (error: Error) => (this.#lastError = error));
    connection.on("ready", () => void this.#comeUp());
    connection.on("close", () => this.#lost());
    return connection;
  }

  async #comeUp(): Promise<void> {
    if (this.#speaker.status !== "ready" || this.#listener.status !== "ready") return;
    const epoch = ++this.#epoch;
    try {
      await this.#options.beforeUp(this);
      await this.#subscribeAll();
    } catch (error) {
      if (epoch === this.#epoch) this.restart((error as Error).message);
      return;
    }
    if (epoch !== this.#epoch || this.#stopped) return;
    this.#state = "up";
    this.#options.log.info(
      { event: "redis", redis: "up" },
      "📡 Redis is there: rooms are shared with the other instances",
    );
    this.#options.onUp();
  }

  /** Those too that are added meanwhile: when it resolves there is none left. */
  async #subscribeAll(): Promise<void> {
    const subscribed = new Set<string>();
    for (;;) {
      const next = [...this.#channels]
        .filter((channel) => !subscribed.has(channel))
        .slice(0, CHANNELS_A_COMMAND);
      if (next.length === 0) return;
      await this.#listener.subscribe(...next);
      for (const channel of next) subscribed.add(channel);
    }
  }

  #lost(error?: Error): void {
    this.#epoch++;
    if (error) this.#lastError = error;
    if (this.#state === "down" || this.#stopped) return;
    this.#state = "down";
    this.#options.log.warn(
      { event: "redis", redis: "down", err: this.#lastError },
      "📡 Redis cannot be reached: rooms are open here by themselves until it can be",
    );
  }
}
