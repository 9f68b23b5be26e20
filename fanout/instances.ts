/**
 * Which other instances of this server are there. Each says so once a second on one channel, and whether it can save.
 *
 * An instance hears itself as well, and that is its clock: another is dead when it was silent for so many of our own heartbeats that came
 * back. So neither a Redis that is away, nor a stall of this process, makes anybody else look dead. And when our own do not come back, the
 * link is frozen, whatever its sockets say.
 */
import { z } from "zod";
import { ClientLines } from "../lib/client-lines.ts";
import type { Log } from "../lib/log.ts";
import { isOurs, seal, unseal } from "./envelope.ts";
import type { RedisLink } from "./redis-link.ts";

const BEAT_MS = 1000;

/** Heard of ourselves and not of another: dead three to four seconds after its last heartbeat. */
const MISSED_BEATS = 4;

/** Of our own that do not come back. Fewer than may be missed: those that have waited in a Redis that stood still come all at once. */
const LOST_BEATS = 2;

/** Of those that were silent. Who is behind these and speaks again counts as new, and saves what it says until it says that it does not. */
const MAX_DEAD = 1000;

const heartbeatSchema = z.object({
  /** Whether it commits what its clients write. */
  saves: z.boolean(),
  /** Of what it has journaled: so many (`JournalProgress`). */
  committed: z.int(),
  /** Its last word: it has saved everything and ends. */
  leaves: z.boolean(),
});

interface Peer {
  missed: number;
  saves: boolean;
}

export interface InstancesOptions {
  readonly id: string;
  readonly channel: string;
  readonly link: RedisLink;
  readonly log: Log;
  /** Whether what clients write here is committed, without delay. */
  readonly saves: () => boolean;
  readonly committed: () => number;
  readonly onCommitted: (instance: string, committed: number) => void;
  /** It has ended, or cannot be heard any more. */
  readonly onDead: (instance: string) => void;
  /** It was dead for us, and is not. */
  readonly onBack: (instance: string) => void;
  /** It is there, and does not commit. */
  readonly onBehind: (instance: string) => void;
  /** A heartbeat of our own has come back, and those who have been silent for too long by it are dead already. */
  readonly onHeard: () => void;
  /** Each second. */
  readonly onBeat: () => void;
}

export class Instances {
  readonly #options: InstancesOptions;
  /** Whoever speaks on Redis may do so in any number of names. */
  readonly #lines: ClientLines;
  readonly #peers = new Map<string, Peer>();
  readonly #dead = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #unheard = 0;

  constructor(options: InstancesOptions) {
    this.#options = options;
    this.#lines = new ClientLines(options.log);
  }

  start(): void {
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** To be called when the link is up again: nobody could be heard before. */
  begin(): void {
    this.#unheard = 0;
    for (const peer of this.#peers.values()) peer.missed = 0;
    this.#say({ saves: this.#options.saves(), leaves: false }).catch(() => {});
  }

  /** Of the others, those that are heard. */
  get count(): number {
    return this.#peers.size;
  }

  /** Whether it commits what its clients write, as far as is known. Of one that is dead and speaks it is not known until its next heartbeat. */
  saves(instance: string): boolean {
    return isOurs(instance) && !this.#dead.has(instance) && (this.#peers.get(instance)?.saves ?? true);
  }

  /** It has said something, though perhaps no heartbeat yet. */
  met(instance: string): void {
    if (isOurs(instance) && !this.#dead.has(instance)) this.#peer(instance);
  }

  /** @throws Error when it is no heartbeat. */
  receive(payload: Buffer): void {
    const { from, message } = unseal(payload);
    const { saves, committed, leaves } = heartbeatSchema.parse(JSON.parse(Buffer.from(message).toString()));
    if (from === this.#options.id) {
      this.#heardSelf();
      return;
    }
    // The last word of one that is not there is not for anybody, and nothing of it would ever be forgotten.
    if (!isOurs(from) || (leaves && !this.#peers.has(from))) return;
    this.#options.onCommitted(from, committed);
    if (leaves) {
      this.#end(from, "left");
      return;
    }
    const isBack = this.#dead.delete(from);
    const peer = this.#peer(from);
    peer.missed = 0;
    const isBehind = peer.saves && !saves;
    peer.saves = saves;
    if (isBack) this.#options.onBack(from);
    if (isBehind) this.#options.onBehind(from);
  }

  /** Says goodbye. Resolves when Redis has it, or cannot be reached. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#say({ saves: true, leaves: true }).catch(() => {});
  }

  #beat(): void {
    const { link, saves, onBeat } = this.#options;
    onBeat();
    if (!link.isUp) return;
    if (this.#unheard >= LOST_BEATS) {
      this.#unheard = 0;
      link.restart(`nothing heard for ${LOST_BEATS} s`);
      return;
    }
    this.#unheard++;
    this.#say({ saves: saves(), leaves: false }).catch(() => {});
  }

  async #say(word: Omit<z.infer<typeof heartbeatSchema>, "committed">): Promise<void> {
    const { link, channel, id, committed } = this.#options;
    const heartbeat: z.infer<typeof heartbeatSchema> = { ...word, committed: committed() };
    await link.publish(channel, seal({ from: id, message: Buffer.from(JSON.stringify(heartbeat)) }));
  }

  #heardSelf(): void {
    this.#unheard = 0;
    for (const [instance, peer] of this.#peers)
      if (++peer.missed >= MISSED_BEATS) this.#end(instance, "silent");
    this.#options.onHeard();
  }

  #peer(instance: string): Peer {
    let peer = this.#peers.get(instance);
    if (!peer) {
      this.#peers.set(instance, (peer = { missed: 0, saves: true }));
      this.#tell(instance, "there", `📡 Instance ${instance} is there`);
    }
    return peer;
  }

  #bury(instance: string): void {
    this.#dead.add(instance);
    const [oldest] = this.#dead;
    if (this.#dead.size > MAX_DEAD && oldest !== undefined) this.#dead.delete(oldest);
  }

  #end(instance: string, is: "left" | "silent"): void {
    if (!this.#peers.delete(instance)) return;
    // One that is silent may be heard again; few are.
    if (is === "silent") this.#bury(instance);
    this.#tell(instance, is, `📡 Instance ${instance} is gone (${is})`);
    this.#options.onDead(instance);
  }

  #tell(instance: string, is: "there" | "left" | "silent", message: string): void {
    this.#lines.write("info", { event: "instance", instance, is }, message);
  }
}
