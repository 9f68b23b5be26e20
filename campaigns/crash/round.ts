/**
 * One life of a server: it starts on what the one before left, fresh readers look for every promised edit, writers write, and the
 * fault strikes. When the round is over the server has ended, and so have the writers and their documents: nobody but the store can bring
 * an edit back.
 */
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import type { Database } from "./database.ts";
import { within } from "./deadline.ts";
import type { Ledger } from "./ledger.ts";
import { ProviderWriter } from "./provider-writer.ts";
import { RawWriter } from "./raw-writer.ts";
import { readRoom } from "./room-reader.ts";
import type { RoundPlan, WriterPlan } from "./round-plan.ts";
import { ServerChild } from "./server-child.ts";
import type { Writer, WriterOptions } from "./writer.ts";

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
  #writers: Writer[] = [];
  #acknowledged = 0;
  #databaseIsBack: Promise<void> = Promise.resolve();
  /** Called with every ack. */
  #onAck: () => void = () => {};

  constructor(options: RoundOptions, server: ServerChild) {
    this.#options = options;
    this.#server = server;
  }

  async play(): Promise<RoundResult> {
    const { plan } = this.#options;
    if (plan?.moment.at === "start") {
      const reading = this.#readAll().catch(() => null);
      await delay(plan.moment.ms);
      this.#server.signal("SIGKILL");
      await this.#server.ended;
      this.#readers.abort(new Error("The server was killed"));
      return { recoveryMs: await reading, healedMs: null, problems: this.#problems };
    }
    const died = this.#server.ended.then(({ code, signal }) => {
      throw new Error(`The server ended by itself: ${code ?? signal}\n${this.#server.output}`);
    });
    const recoveryMs = await Promise.race([this.#readAll(), died]);
    let healedMs: number | null = null;
    if (plan) {
      await Promise.race([this.#enter(plan), died]);
      await Promise.race([this.#strikeAtMoment(plan), died]);
      died.catch(() => {});
      if (plan.fault === "worker" || plan.fault === "postgres") healedMs = await this.#heal();
    } else {
      died.catch(() => {});
      this.#server.signal("SIGTERM");
    }
    const { code, signal } = await this.#server.ended;
    if ((!plan || plan.fault === "term") && code !== 0)
      this.#problems.push(`SIGTERM ended with ${code ?? signal}\n${this.#server.output}`);
    // What was on its way to them when the server died has told them of acks too.
    await Promise.all(this.#writers.map((writer) => writer.gone));
    return { recoveryMs, healedMs, problems: this.#problems };
  }

  /** Ends whatever the round has started, also after a failure. */
  async end(): Promise<void> {
    this.#readers.abort(new Error("The round is over"));
    for (const writer of this.#writers) writer.leave();
    this.#server.signal("SIGKILL");
    await this.#server.ended;
  }

  /** Resolves with the time from the start to the first whole room, ms. */
  async #readAll(): Promise<number> {
    const { ledger } = this.#options;
    const url = await this.#server.listening;
    const times = await Promise.all(
      ledger.rooms.map((room) =>
        readRoom({ url, room, signal: this.#readers.signal }, (content) => {
          const ms = performance.now() - this.#server.startedAt;
          ledger.verify(room, content);
          return ms;
        }),
      ),
    );
    return Math.min(...times);
  }

  async #enter({ fault, writers }: RoundPlan): Promise<void> {
    const { name, ledger } = this.#options;
    const url = await this.#server.listening;
    this.#writers = ledger.rooms.flatMap((room) =>
      writers.map((writer, index) =>
        createWriter(writer, {
          url,
          room,
          next: () => ledger.write({ room, author: `${name}.${index}`, fault }),
          onAcknowledged: (edits) => {
            for (const edit of edits) ledger.acknowledge(edit);
            this.#acknowledged += edits.length;
            this.#onAck();
          },
        }),
      ),
    );
    await Promise.all(this.#writers.map((writer) => writer.joined));
  }

  async #strikeAtMoment({ fault, moment }: RoundPlan): Promise<void> {
    for (const writer of this.#writers) writer.start();
    if (moment.at === "time" || moment.at === "start") {
      await delay(moment.ms);
      this.#strike(fault);
      return;
    }
    const enough = Math.ceil(moment.share * this.#options.editsARound);
    await new Promise<void>((resolve) => {
      this.#onAck = () => {
        if (this.#acknowledged < enough) return;
        this.#onAck = () => {};
        if (moment.at === "ack") this.#strike(fault);
        else for (const writer of this.#writers) writer.leave();
        resolve();
      };
    });
    if (moment.at === "ack") return;
    await delay(moment.ms);
    this.#strike(fault);
  }

  #strike(fault: RoundPlan["fault"]): void {
    switch (fault) {
      case "kill":
        return this.#server.signal("SIGKILL");
      case "term":
        return this.#server.signal("SIGTERM");
      case "worker":
        return this.#server.signal("SIGUSR2");
      case "postgres":
        this.#databaseIsBack = this.#options.database.crash?.() ?? Promise.resolve();
    }
  }

  /** What was on its way when the store died is acknowledged after all, and nobody was disconnected; then the server is killed too. */
  async #heal(): Promise<number> {
    const struckAt = performance.now();
    const outstanding = this.#writers.flatMap((writer) => writer.outstanding);
    await this.#databaseIsBack;
    await until("acks after the store came back", () => outstanding.every((edit) => edit.acknowledged), {
      timeoutMs: PATIENCE_MS,
    });
    const healedMs = performance.now() - struckAt;
    const outside = this.#writers.filter((writer) => !writer.isInside).length;
    if (outside > 0) this.#problems.push(`${outside} writers were disconnected when the store died`);
    this.#server.signal("SIGKILL");
    return healedMs;
  }
}

function createWriter(plan: WriterPlan, options: WriterOptions): Writer {
  return plan.kind === "provider" ? new ProviderWriter(options, plan) : new RawWriter(options, plan);
}
