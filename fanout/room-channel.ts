/**
 * One room on Redis, `<prefix>:<room>`: what happens to it here is said there once, and what is said there happens to it here. What came
 * from there is never said again, which is what makes loops impossible.
 *
 * A publish may be lost, and nobody hears of it. So the room is compared with the others' when it is loaded, when Redis comes back, when
 * something turns out to be missing, and every now and then; and so it is with the store.
 */
import { setTimeout as delay } from "node:timers/promises";
import { MessageType, type Document } from "@hocuspocus/server";
import * as decoding from "lib0/decoding";
import { messageYjsSyncStep1, messageYjsSyncStep2, messageYjsUpdate } from "y-protocols/sync";
import * as Y from "yjs";
import type { JournalProgress } from "../storage/journal.ts";
import { applyUpdate } from "../sync/application.ts";
import { nestsTooDeeply } from "../sync/nesting.ts";
import { hasPending } from "../sync/pending.ts";
import { readContents } from "../sync/update-contents.ts";
import { isOurs } from "./envelope.ts";
import { peerOf, peerOrigin } from "./peer-origin.ts";
import type { RedisLink } from "./redis-link.ts";
import { RoomPeople } from "./room-people.ts";
import {
  editOf,
  progressAfter,
  questionAbout,
  questionBack,
  questionForPeople,
  stateBeyond,
} from "./room-words.ts";

/** How long a room waits at its load for the others, in all: as long as a crash there may keep it from being opened. */
const LOAD_PATIENCE_MS = 1000;

/** Comparing walks over the whole document at each instance, so large rooms are compared more rarely: a minute for each so many bytes. */
const COMPARE_EVERY_MS = 60_000;
const COMPARE_BYTES = 256 * 1024;

/** After something was lost or is missing. Several at once are one. */
const REPAIR_AFTER_MS = 500;

export interface RoomChannelOptions {
  readonly document: Document;
  readonly channel: string;
  readonly link: RedisLink;
  /** Puts a message about this room into an envelope. */
  readonly sealed: (message: Uint8Array) => Buffer;
  readonly replyChannel: (instance: string) => string;
  readonly storedBytes: () => number;
  /** Of the journal. */
  readonly progress: () => JournalProgress;
  readonly onCommitted: (instance: string, committed: number) => void;
  /** Takes in what the store has by now. Resolves with whether some of it was missing. */
  readonly catchUp: (document: Document) => Promise<boolean>;
  /** An edit from elsewhere has broken the document. */
  readonly onBroken: (failure: Error | null) => void;
  /** Another instance had what was missing here. */
  readonly onRepair: () => void;
}

export class RoomChannel {
  readonly document: Document;
  readonly people: RoomPeople;
  readonly #options: RoomChannelOptions;
  /** `performance.now()` of the next comparison. */
  #compareAt: number;
  #patienceMs = LOAD_PATIENCE_MS;
  /** How many others had the room before it was read from the store; more than there can be where that is not known. */
  #others = Infinity;
  /** Somebody has said something of it since. */
  #wasHeard = false;
  /** Read from the store: it may be compared from now on. */
  #isRead = false;
  /** Loaded: what comes as an answer from now on is a repair. */
  #isOpen = false;
  /** By other instances. */
  #changes = 0;
  /** Something that was to be published was not. */
  #hasLost = false;
  /** Who has answered at the load, and whether the room is open there. */
  readonly #answers = new Map<string, boolean>();
  #awaited = Infinity;
  readonly #answered = Promise.withResolvers<void>();

  constructor(options: RoomChannelOptions) {
    const { document } = options;
    this.document = document;
    this.people = new RoomPeople({
      document,
      publish: (message, onLost) => this.publish(message, onLost),
      reply: (instance, message) => this.#reply(instance, message),
      onLost: () => this.#repairSoon(),
    });
    this.#options = options;
    this.#compareAt = this.#nextComparison();
  }

  /**
   * To be awaited before the stored room is read: what others commit from then on, and the reading may miss, is not missed by `open`.
   * Resolves in a second at most. Never rejects.
   */
  async join(): Promise<void> {
    const { link, channel, sealed } = this.#options;
    await this.#patiently(async () => {
      await link.subscribe(channel);
      // We hear ourselves.
      this.#others = (await link.publish(channel, sealed(questionForPeople(this.document.name)))) - 1;
    });
  }

  /**
   * Resolves when the document has what the other instances have, or had in the store when they closed it. A second at most are those waited for.
   * @throws as `catchUp` does.
   */
  async open(): Promise<void> {
    const { document } = this;
    this.#isRead = true;
    document.on("update", (update: Uint8Array, origin: unknown) => {
      if (peerOf(origin) === null) this.publish(editOf(document.name, update, this.#options.progress()));
      else this.#changes++;
    });
    this.people.open();
    await this.#patiently(async () => this.#answersOf(await this.#ask()));
    // Somebody who had it does not say so any more. If that one was done with all commits and has closed it after our reading, nobody will tell us.
    if (this.#options.link.isUp && this.#haveIt < Math.max(this.#others, this.#wasHeard ? 1 : 0))
      await this.#options.catchUp(document);
    this.#isOpen = true;
    this.#answers.clear();
  }

  /** Something that happened here was never said. */
  get hasUnsaid(): boolean {
    return this.#hasLost || this.people.hasUnsaid;
  }

  /** Redis, or another instance, is there again, perhaps after a long time. */
  rejoin(): void {
    // Nothing was heard for some time.
    if (!this.#isRead) this.#others = Infinity;
    this.people.tellAll();
    this.compare();
  }

  /**
   * What this instance has and the others lack, and the other way round, is sent. What the store has is taken from there: of what an instance
   * has saved while it was not heard, in a room that it has closed since, or before it ended, nobody else can tell.
   */
  compare(): void {
    if (!this.#isRead) return;
    this.#compareAt = this.#nextComparison();
    if (!this.#options.link.isUp) return;
    this.people.compare(performance.now());
    const question = questionAbout(this.document, { mustAskBack: this.#hasLost });
    this.#hasLost = false;
    this.publish(question);
    this.#catchUp();
  }

  /** What there is to be done by now. */
  lookAfter(now: number): void {
    if (now >= this.#compareAt) this.compare();
    this.people.lookAfter(now);
  }

  /** Never throws: it is called from Yjs' own events. */
  publish(message: Uint8Array, onLost: () => void = () => this.#lose()): void {
    const { link, channel, sealed } = this.#options;
    if (link.isUp) link.publish(channel, sealed(message)).catch(onLost);
    else onLost();
  }

  /**
   * @param decoder behind the room's name.
   * @param mayTake whether anything may happen to the room; else questions are answered, and that is all.
   * @throws Error when the message does not decode.
   */
  receive(
    decoder: decoding.Decoder,
    {
      from,
      isForUs,
      mayTake,
    }: { readonly from: string; readonly isForUs: boolean; readonly mayTake: boolean },
  ): void {
    const type: number = decoding.readVarUint(decoder);
    if (!this.#isRead && !isForUs) this.#wasHeard = true;
    const takes = mayTake && (this.#isRead || type === MessageType.Awareness);
    if (!takes && !isQuestion(type, decoder)) return;
    switch (type) {
      case MessageType.Sync:
      case MessageType.SyncReply:
        this.#receiveSync(decoder, { from, isForUs, mayAskBack: takes && type === MessageType.Sync });
        break;
      case MessageType.Awareness:
        this.people.receive(decoding.readVarUint8Array(decoder), { from, isAnswer: isForUs });
        break;
      case MessageType.QueryAwareness:
        if (decoding.hasContent(decoder)) this.#recover(from);
        this.people.answer(from, { byName: isForUs });
        break;
      case MessageType.BroadcastStateless:
        this.document.relayStateless(decoding.readVarString(decoder));
        break;
      default:
        throw new Error(`A message of type ${type}`);
    }
  }

  async #patiently(act: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    const patience = new AbortController();
    const tooLate = delay(Math.max(0, this.#patienceMs), undefined, { signal: patience.signal });
    await Promise.race([act(), tooLate]).catch(() => this.#repairSoon());
    patience.abort();
    tooLate.catch(() => {});
    this.#patienceMs -= performance.now() - startedAt;
  }

  /** Resolves with the number of others that were asked. */
  async #ask(): Promise<number> {
    const { link, channel, sealed } = this.#options;
    const question = questionAbout(this.document, { mustAskBack: false });
    return (await link.publish(channel, sealed(question))) - 1;
  }

  async #answersOf(others: number): Promise<void> {
    this.#awaited = others;
    // Answers may have come before Redis' own.
    if (this.#answers.size < others) await this.#answered.promise;
  }

  /** Of those that have answered, those that have the room. */
  get #haveIt(): number {
    return [...this.#answers.values()].filter((isOpen) => isOpen).length;
  }

  #hasAnswered(from: string, { isOpen }: { readonly isOpen: boolean }): void {
    if (this.#isOpen) return;
    this.#answers.set(from, isOpen);
    if (this.#answers.size >= this.#awaited) this.#answered.resolve();
  }

  #receiveSync(
    decoder: decoding.Decoder,
    {
      from,
      isForUs,
      mayAskBack,
    }: { readonly from: string; readonly isForUs: boolean; readonly mayAskBack: boolean },
  ): void {
    const type = decoding.readVarUint(decoder);
    const payload = decoding.readVarUint8Array(decoder);
    switch (type) {
      case messageYjsSyncStep1:
        this.#reply(from, stateBeyond(this.document, payload, { isOpen: this.#isOpen }));
        // A deletion does not show in what a stock instance says to have, and it is all that it ever says.
        if (mayAskBack && (!isOurs(from) || decoding.hasContent(decoder) || this.#lacksSomeOf(payload)))
          this.#reply(from, questionBack(this.document));
        break;
      case messageYjsSyncStep2: {
        const before = this.#changes;
        this.#apply(payload, { from });
        if (!isForUs) break;
        if (this.#isOpen && this.#changes > before) this.#options.onRepair();
        this.#hasAnswered(from, { isOpen: !decoding.hasContent(decoder) });
        break;
      }
      case messageYjsUpdate: {
        const progress = isOurs(from) ? progressAfter(decoder) : null;
        if (progress) this.#options.onCommitted(from, progress.committed);
        this.#apply(payload, { from, number: progress?.appended });
        break;
      }
      default:
        throw new Error(`A sync message of type ${type}`);
    }
  }

  /** @throws Error when it is no update. */
  #apply(
    update: Uint8Array,
    { from, number }: { readonly from: string; readonly number?: number | undefined },
  ): void {
    const { document } = this;
    // Read before it is applied: one that is cut off would be applied as far as it goes.
    if (nestsTooDeeply(document, readContents(update))) throw new Error("Shared types nested too deeply");
    const before = document.store.pendingStructs;
    const isMixed = hasPending(document);
    const { failure, isBroken } = applyUpdate(document, update, peerOrigin(from, { number, isMixed }));
    if (isBroken) this.#options.onBroken(failure);
    else if (failure) throw failure;
    else if (document.store.pendingStructs !== before) this.#repairSoon();
  }

  /** Another instance has never said something of this room, and has closed it. */
  #recover(from: string): void {
    this.#catchUp();
    this.people.ask(from);
  }

  #catchUp(): void {
    const { catchUp, onRepair } = this.#options;
    // A store that cannot be read is complained of elsewhere, and read at the next comparison.
    catchUp(this.document)
      .then((wasMissing) => wasMissing && onRepair())
      .catch(() => {});
  }

  #lacksSomeOf(stateVector: Uint8Array): boolean {
    const { store } = this.document;
    return [...Y.decodeStateVector(stateVector)].some(([client, end]) => end > Y.getState(store, client));
  }

  #reply(to: string, message: Uint8Array): void {
    const { link, replyChannel, sealed } = this.#options;
    // Whoever asked asks again.
    link.publish(replyChannel(to), sealed(message)).catch(() => {});
  }

  #lose(): void {
    this.#hasLost = true;
    this.#repairSoon();
  }

  #repairSoon(): void {
    this.#compareAt = Math.min(this.#compareAt, performance.now() + REPAIR_AFTER_MS);
  }

  #nextComparison(): number {
    const every = COMPARE_EVERY_MS * (1 + this.#options.storedBytes() / COMPARE_BYTES);
    return performance.now() + every * (0.5 + Math.random());
  }
}

function isQuestion(type: number, decoder: decoding.Decoder): boolean {
  const isSync = type === MessageType.Sync || type === MessageType.SyncReply;
  return isSync && decoding.peekVarUint(decoder) === messageYjsSyncStep1;
}
