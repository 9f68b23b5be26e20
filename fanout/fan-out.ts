/**
 * This instance among the others: the rooms that are open here, each on its channel, who else is there, and what every message on Redis is
 * for (`redis-names.ts`).
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { MessageType, type Document } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import type { Order } from "../auth/revocations.ts";
import type { Log } from "../lib/log.ts";
import type { RedisFigures } from "../lib/metrics.ts";
import type { JournalProgress } from "../storage/journal.ts";
import { isOurs, newInstanceId, seal, unseal } from "./envelope.ts";
import { Instances } from "./instances.ts";
import { KeptUpdates } from "./kept-updates.ts";
import { orderIn, sealOrder } from "./orders.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisNames } from "./redis-names.ts";
import { RoomChannel, type RoomChannelOptions } from "./room-channel.ts";
import { adviceToCatchUp, announcementIn, nobodyIn } from "./room-words.ts";
import { OtherStore, StoreAgreement } from "./store-agreement.ts";

/** A start waits this long to find out whether the store is the others'. */
const START_PATIENCE_MS = 2000;

/** How often rooms are looked through for those that want to be compared. */
const SWEEP_MS = 250;

/** About 5 ms of questions. */
const ROOMS_A_TURN = 100;

/** The lease of the store is renewed every so many heartbeats. */
const RENEW_BEATS = 5;

/** Rooms that were closed with something unsaid. Of more the others learn at their next comparison. */
const MAX_UNSAID_ROOMS = 10_000;

/** What nobody understands is logged this often: somebody else may have taken the prefix, and say a thousand things a second. */
const COMPLAIN_EVERY_MS = 60_000;

export interface FanOutOptions {
  readonly redisUrl: string;
  readonly redisPrefix: string;
  /** Of the store (`Store.identity`). */
  readonly identity: string;
  readonly log: Log;
  /** Whether what clients write here is committed, without delay. */
  readonly saves: () => boolean;
  /** Journals an update that was to be journaled elsewhere. */
  readonly append: (room: string, update: Uint8Array) => void;
  /** Of the journal. */
  readonly progress: () => JournalProgress;
  readonly storedBytes: (room: string) => number;
  /** Takes in what the store has by now, and the document may lack. */
  readonly catchUp: RoomChannelOptions["catchUp"];
  /** An edit from elsewhere broke it. */
  readonly onBroken: (document: Document) => void;
  readonly onOrder: (order: Order) => void;
}

export class FanOut {
  readonly id = newInstanceId();
  readonly kept: KeptUpdates;
  readonly #options: FanOutOptions;
  readonly #names: RedisNames;
  readonly #link: RedisLink;
  readonly #instances: Instances;
  readonly #agreement: StoreAgreement;
  readonly #channels = new Map<string, RoomChannel>();
  /** Closed, and something of them was never said. */
  readonly #unsaid = new Set<string>();
  #sweeping: NodeJS.Timeout | null = null;
  #beats = 0;
  #received = 0;
  #repairs = 0;
  #isLeaving = false;
  #complainedAt = -COMPLAIN_EVERY_MS;

  constructor(options: FanOutOptions) {
    const { redisUrl: url, redisPrefix, log, identity, saves, append, progress } = options;
    this.#options = options;
    this.#names = new RedisNames(redisPrefix);
    this.#agreement = new StoreAgreement({ key: this.#names.storeKey, identity });
    this.#link = new RedisLink({
      url,
      log,
      onMessage: (channel, payload) => this.#receive(channel, payload),
      beforeUp: () => this.#renew(),
      onUp: () => this.#comeUp(),
    });
    this.#instances = new Instances({
      id: this.id,
      channel: this.#names.instances,
      link: this.#link,
      log,
      saves,
      committed: () => progress().committed,
      onCommitted: (...word) => this.kept.committed(...word),
      onDead: (instance) => this.#bury(instance),
      onBack: () => void this.#rejoin(),
      onBehind: (instance) => this.kept.takeOver({ instance }),
      onHeard: () => this.kept.sweep(),
      onBeat: () => this.#beat(),
    });
    this.kept = new KeptUpdates({ saves: (instance) => this.#instances.saves(instance), append });
  }

  /**
   * Resolves when the others can be heard, or Redis has not answered for two seconds: then the rooms are open here alone, for now.
   * @throws OtherStore
   */
  async start(): Promise<void> {
    for (const channel of [this.#names.instances, this.#names.orders, this.#names.reply(this.id)])
      await this.#link.subscribe(channel);
    this.#instances.start();
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    this.#link.connect();
    const deadline = performance.now() + START_PATIENCE_MS;
    while (!this.#link.isUp && !this.#agreement.conflict && performance.now() < deadline) await delay(10);
    if (this.#agreement.conflict) throw this.#agreement.conflict;
  }

  /** Null while it is; OtherStore where it must not be. */
  get trouble(): Error | null {
    if (this.#link.isUp) return null;
    return this.#agreement.conflict ?? new Error(`Redis cannot be reached: ${this.#link.trouble}`);
  }

  get figures(): RedisFigures {
    const { isUp, published } = this.#link;
    const { count: instances } = this.#instances;
    const { bytes: keptBytes } = this.kept;
    return { isUp, published, received: this.#received, repairs: this.#repairs, instances, keptBytes };
  }

  /** Shares a room from now on, until its document is destroyed. To be awaited before it is read from the store. Resolves in a second at most. */
  async join(document: Document): Promise<void> {
    const { storedBytes, progress, catchUp } = this.#options;
    const { name } = document;
    const channel = new RoomChannel({
      document,
      channel: this.#names.room(name),
      link: this.#link,
      sealed: (message) => this.#seal(message),
      replyChannel: (instance) => this.#names.reply(instance),
      storedBytes: () => storedBytes(name),
      catchUp,
      progress,
      onCommitted: (...word) => this.kept.committed(...word),
      onBroken: (failure) => this.#discard(document, failure),
      onRepair: () => this.#repairs++,
    });
    this.#channels.set(name, channel);
    document.on("destroy", () => this.#close(channel));
    await channel.join();
  }

  /**
   * It has been read. Resolves when it has what the others have, or in a second.
   * @throws as `catchUp` does.
   */
  async open({ name }: Document): Promise<void> {
    await this.#channels.get(name)?.open();
  }

  /**
   * The user who is seen in the room with this client id, and is at another instance. While Redis is away nobody is: who has come from there
   * brings what others wrote there, and is not to be kept out until it is back.
   */
  userElsewhere({ name }: Document, client: number): string | undefined {
    return this.#link.isUp ? this.#channels.get(name)?.people.userElsewhere(client) : undefined;
  }

  /** What an extension tells everybody in the room. */
  announce(room: string, payload: string): void {
    this.#channels.get(room)?.publish(announcementIn(room, payload));
  }

  /** What the backend has ordered here. */
  handOn(order: Order): void {
    const { log } = this.#options;
    this.#link.publish(this.#names.orders, sealOrder(this.id, order)).catch((error: unknown) => {
      // Those who are at other instances are looked at again by their re-check, or when their right ends.
      log.warn({ event: "order-not-handed-on", kind: order.kind, err: error }, "📡 An order stays here");
    });
  }

  /**
   * From here on nothing is taken from the others, and what was taken is journaled here: there will be no time to see whether they do. They
   * are answered as before: who opens a room waits for all who have it, and nobody else may know what is not saved here yet.
   */
  leave(): void {
    this.#isLeaving = true;
    this.kept.takeOver();
  }

  async stop(): Promise<void> {
    if (this.#sweeping) clearInterval(this.#sweeping);
    await this.#instances.stop();
    this.#link.stop();
  }

  #seal(message: Uint8Array): Buffer {
    return seal({ from: this.id, message });
  }

  /** Never throws: anybody may publish anything, and a throw here would end the process (as it does with the stock extension). */
  #receive(channel: string, payload: Buffer): void {
    this.#received++;
    try {
      if (channel === this.#names.instances) this.#instances.receive(payload);
      else if (channel === this.#names.orders) this.#receiveOrder(payload);
      else this.#receiveWords(payload, channel);
    } catch (error) {
      const now = performance.now();
      if (now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
      this.#complainedAt = now;
      this.#options.log.warn(
        { event: "redis-message-refused", channel, bytes: payload.byteLength, err: error },
        "📡 A message on Redis was not understood; others like it are not logged for a minute",
      );
    }
  }

  #discard(document: Document, failure: Error | null): void {
    const { log, onBroken } = this.#options;
    const { name: room } = document;
    log.error(
      { event: "room-broken", room, err: failure },
      `🚑 An edit from another instance broke ${room}; it is loaded again from what is saved`,
    );
    onBroken(document);
  }

  #receiveOrder(payload: Buffer): void {
    const { from, order } = orderIn(payload);
    if (from !== this.id && !this.#isLeaving) this.#options.onOrder(order);
  }

  #receiveWords(payload: Buffer, channel: string): void {
    const { from, message } = unseal(payload);
    if (from === this.id) return;
    const decoder = decoding.createDecoder(message);
    const room = decoding.readVarString(decoder);
    const isForUs = channel === this.#names.reply(this.id);
    // A stock Hocuspocus with the prefix `righttask:a` says `b` on the channel of our room `a:b`.
    if (!isForUs && channel !== this.#names.room(room)) throw new Error("A message about another room");
    this.#instances.met(from);
    const open = this.#channels.get(room);
    if (open) open.receive(decoder, { from, isForUs, mayTake: !this.#isLeaving });
    // Not open here any more: what else is said of it is for others.
    else if (isForUs && isOurs(from) && decoding.readVarUint(decoder) === MessageType.QueryAwareness)
      this.#link.publish(this.#names.reply(from), this.#seal(nobodyIn(room))).catch(() => {});
  }

  async #renew(): Promise<void> {
    const isNews = !this.#agreement.conflict;
    try {
      await this.#agreement.renew(this.#link);
    } catch (error) {
      if (error instanceof OtherStore && isNews)
        this.#options.log.error({ event: "other-store", err: error }, `📡 ${error.message}`);
      throw error;
    }
  }

  #comeUp(): void {
    this.#instances.begin();
    void this.#rejoin();
    for (const room of this.#unsaid) {
      this.#unsaid.delete(room);
      const advice = this.#seal(adviceToCatchUp(room));
      this.#link.publish(this.#names.room(room), advice).catch(() => this.#unsaid.add(room));
    }
  }

  /** All rooms, in steps: ten thousand at once would take the event loop half a second. What is lost on the way is repaired by the rooms. */
  async #rejoin(): Promise<void> {
    let done = 0;
    for (const channel of this.#channels.values()) {
      channel.rejoin();
      if (++done % ROOMS_A_TURN === 0) await nextTurn();
    }
  }

  #beat(): void {
    // While nobody can be heard, nobody is known to have committed: one that ended together with Redis says nothing any more.
    if (!this.#link.isUp) this.kept.takeOver();
    if (++this.#beats % RENEW_BEATS !== 0 || !this.#link.isUp) return;
    this.#renew().catch((error: unknown) => {
      if (error instanceof OtherStore) this.#link.restart(error.message);
    });
  }

  #sweep(): void {
    const now = performance.now();
    for (const channel of this.#channels.values()) channel.lookAfter(now);
  }

  #bury(instance: string): void {
    this.kept.takeOver({ instance });
    for (const channel of this.#channels.values()) channel.people.removeAllOf(instance);
  }

  #close(channel: RoomChannel): void {
    const { name } = channel.document;
    // Perhaps the room has been opened again meanwhile, on the same channel.
    if (this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    if (channel.hasUnsaid && this.#unsaid.size < MAX_UNSAID_ROOMS) this.#unsaid.add(name);
    this.#link.unsubscribe(this.#names.room(name));
    // Nobody would look after it any more. It is the rest, or the room was discarded: see `beforeUnloadDocument`.
    this.kept.takeOver({ room: name });
  }
}
