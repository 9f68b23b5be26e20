/**
 * One life of a server: it starts on what the one before left, fresh readers look for every promised edit, writers write, and the
 * fault strikes. When the round is over the server has ended, and so have the writers and their documents: nobody but the store can bring
 * an edit back.
 */
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import { Crowd } from "./crowd.ts";
import type { Database } from "../database.ts";
import { within } from "../deadline.ts";
import type { Ledger } from "./ledger.ts";
import { readRoom } from "../room-reader.ts";
import type { RoundPlan } from "./round-plan.ts";
import { ServerChild } from "../server-child.ts";

/** Far more than any wait in a round takes on a busy machine. */
const PATIENCE_MS = 60_000;

export interface RoundOptions {
  /** Unique in the run. */
  readonly name: string;
  /** Null: only start, read and stop. */
  readonly plan: RoundPlan | null;
  readonly database: Database;
  readonly ledger: Ledger;
  /** Usual number of acknowledged edits in a round. */
  readonly editsARound: number;
}

export interface RoundResult {
  /** From the start of the process to the first reader with a whole room; null if it was killed before that. */
  readonly recoveryMs: number | null;
  /** From the death of something inside to the acknowledgement of everything that was on its way. */
  readonly healedMs: number | null;
  readonly problems: readonly string[];
}

export async function playRound(options: RoundOptions): Promise<RoundResult> {
  const { plan, database } = options;
  const entry = plan?.fault === "worker" ? "campaigns/crash/mortal-server.ts" : "server.ts";
  const server = new ServerChild(entry, {
    DATABASE_URL: database.url,
    ROOM_IDLE_SECONDS: `${plan?.roomIdleSeconds ?? 0}`,
    // Writers go as fast as they are acknowledged.
    MAX_MESSAGES_PER_SECOND: "100000",
  });
  const round = new Round(options, server);
  try {
    return await within(PATIENCE_MS, () => `round ${options.name}\n${server.output}`, round.play());
  } finally {
    await round.end();
  }
}

class Round {
  readonly #options: RoundOptions;
  readonly #server: ServerChild;
  readonly #readers = new AbortController();
  readonly #problems: string[] = [];
  #crowd: Crowd | null = null;
  /** Whether the server is meant to end. */
  #ending = false;
  #databaseIsBack: Promise<void> = Promise.resolve();

  constructor(options: RoundOptions, server: ServerChild) {
    this.#options = options;
    this.#server = server;
  }

  async play(): Promise<RoundResult> {
    const { plan } = this.#options;
    if (plan?.moment.at === "start") return this.#playStart(plan.moment.ms);
    const died = this.#server.ended.then(({ code, signal }) => {
      if (!this.#ending)
        throw new Error(`The server ended by itself: ${code ?? signal}\n${this.#server.output}`);
      return null;
    });
    const recoveryMs = await Promise.race([this.#readAll(), died]);
    if (plan) await Promise.race([this.#write(plan), died]);
    else this.#end("SIGTERM");
    const livesOn = plan?.fault === "worker" || plan?.fault === "postgres";
    const healedMs = livesOn ? await Promise.race([this.#heal(), died]) : null;
    const { code, signal } = await this.#server.ended;
    if ((!plan || plan.fault === "term") && code !== 0)
      this.#problems.push(`SIGTERM ended with ${code ?? signal}\n${this.#server.output}`);
    // What was on its way to them when the server died has told them of acks too.
    await this.#crowd?.gone();
    return { recoveryMs, healedMs, problems: this.#problems };
  }

  /** Ends whatever the round has started, also after a failure. */
  async end(): Promise<void> {
    this.#readers.abort(new Error("The round is over"));
    this.#crowd?.leave();
    this.#server.signal("SIGKILL");
    await this.#server.ended;
  }

  async #playStart(ms: number): Promise<RoundResult> {
    const reading = this.#readAll().catch(() => null);
    await delay(ms);
    this.#server.signal("SIGKILL");
    await this.#server.ended;
    this.#readers.abort(new Error("The server was killed"));
    return { recoveryMs: await reading, healedMs: null, problems: this.#problems };
  }

  /** Resolves with the time from the start to the first whole room, ms. */
  async #readAll(): Promise<number> {
    const { ledger } = this.#options;
    const url = await this.#server.listening;
    const times = await Promise.all(
      ledger.rooms.map((room) =>
        readRoom({ url, room, signal: this.#readers.signal }, (document) => {
          const ms = performance.now() - this.#server.startedAt;
          ledger.verify(room, document.getMap("tasks"));
          return ms;
        }),
      ),
    );
    return Math.min(...times);
  }

  /** Resolves when the fault has struck. */
  async #write(plan: RoundPlan): Promise<void> {
    const { name, ledger, editsARound } = this.#options;
    const { fault, moment } = plan;
    const crowd = new Crowd({ name, url: await this.#server.listening, plan, ledger });
    this.#crowd = crowd;
    await crowd.joined();
    const strike = (): void => {
      if (moment.at !== "unload") this.#expectAllInside("before the fault");
      this.#strike(fault);
    };
    crowd.start();
    if (moment.at === "ack") await crowd.atAck(Math.ceil(moment.share * editsARound), strike);
    else {
      if (moment.at === "unload")
        await crowd.atAck(Math.ceil(moment.share * editsARound), () => crowd.leave());
      await delay(moment.ms);
      strike();
    }
  }

  #strike(fault: RoundPlan["fault"]): void {
    switch (fault) {
      case "kill":
        return this.#end("SIGKILL");
      case "term":
        return this.#end("SIGTERM");
      case "worker":
        return this.#server.signal("SIGUSR2");
      case "postgres":
        this.#databaseIsBack = this.#options.database.crash?.() ?? Promise.resolve();
    }
  }

  /** What was on its way when the store died is acknowledged after all, and nobody was disconnected; then the server is killed too. */
  async #heal(): Promise<number> {
    const struckAt = performance.now();
    const outstanding = this.#crowd?.outstanding ?? [];
    await this.#databaseIsBack;
    await until("acks after the store came back", () => outstanding.every((edit) => edit.acknowledged), {
      timeoutMs: PATIENCE_MS,
    });
    const healedMs = performance.now() - struckAt;
    this.#expectAllInside("by the death of the store");
    this.#end("SIGKILL");
    return healedMs;
  }

  #end(signal: NodeJS.Signals): void {
    this.#ending = true;
    this.#server.signal(signal);
  }

  #expectAllInside(when: string): void {
    const outside = this.#crowd?.outside ?? 0;
    if (outside > 0) this.#problems.push(`${outside} writers were disconnected ${when}`);
  }
}
