/**
 * What every fault is played on: a real server, two people in a room, two bystanders in another, and what must be true of them while the
 * store is broken, once it works again, and after a crash.
 */
import { expect, onTestFinished } from "vitest";
import { median } from "../../bench/statistics.ts";
import { connect, type Client } from "../support/client.ts";
import { startProcess, ServerProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";

/** The machine may be busy with other tests: a blocked event loop shows in the median, a hiccup in the maximum only. */
const MEDIAN_MS = 50;
const MAXIMUM_MS = 250;
const EDITS_MEASURED = 10;

interface Readiness {
  readonly status: number;
  readonly storage: string | undefined;
}

export class Scene {
  readonly server: ServerProcess;
  readonly #databaseUrl: string;
  readonly #people: { readonly writer: Client; readonly reader: Client };
  readonly #bystanders: readonly [Client, Client];
  /** What the writer's room must contain after any crash. */
  #acknowledged = "";
  /** Made in the writer's room so far; each is one journal row. */
  edits = 0;

  private constructor(databaseUrl: string, server: ServerProcess) {
    const at = (name: string): Client => connect({ url: server.url, name });
    this.server = server;
    this.#databaseUrl = databaseUrl;
    this.#people = { writer: at("room"), reader: at("room") };
    this.#bystanders = [at("other"), at("other")];
  }

  /** Everybody is in, and one edit is acknowledged. */
  static async open(databaseUrl: string, env: Readonly<Record<string, string>> = {}): Promise<Scene> {
    const scene = new Scene(databaseUrl, await startProcess({ DATABASE_URL: databaseUrl, ...env }));
    await Promise.all([...scene.#bystanders, scene.#people.reader].map((client) => client.saved()));
    await scene.edit("before ");
    await scene.acknowledged();
    return scene;
  }

  get writer(): Client {
    return this.#people.writer;
  }

  /** The writer types; the reader sees it, whatever the store does. */
  async edit(text: string): Promise<void> {
    const { writer, reader } = this.#people;
    await writer.synced();
    writer.text.insert(writer.text.length, text);
    this.edits++;
    await until("the edit at the other client", () => reader.content === writer.content);
  }

  async acknowledged(): Promise<void> {
    await this.writer.saved();
    this.#acknowledged = this.writer.content;
  }

  async readiness(): Promise<Readiness> {
    const response = await fetch(`${this.server.url}/readyz`);
    const { parts } = (await response.json()) as { parts: Record<string, string> };
    return { status: response.status, storage: parts["storage"] };
  }

  /** An edit made now is seen but not acknowledged, readiness says why, and nobody else has to wait. */
  async expectAcksWithheld(reason: RegExp): Promise<void> {
    await this.edit("meanwhile ");
    await this.expectRedReadiness(reason);
    await this.expectFreeLoop();
    expect(this.writer.provider.hasUnsyncedChanges).toBe(true);
    expect(this.writer.closes).toEqual([]);
  }

  async expectRedReadiness(reason: RegExp): Promise<void> {
    let last: Readiness | null = null;
    const isRed = async (): Promise<boolean> => {
      last = await this.readiness();
      return last.status === 503 && reason.test(last.storage ?? "");
    };
    await until(`red readiness because of ${reason}`, isRed).catch((error: unknown) => {
      throw new Error(`Readiness was ${JSON.stringify(last)}`, { cause: error });
    });
  }

  /** Edits between two others, in another room. */
  async expectFreeLoop(): Promise<void> {
    const [from, to] = this.#bystanders;
    const times: number[] = [];
    for (let i = 0; i < EDITS_MEASURED; i++) {
      const arrived = new Promise((resolve) => to.doc.once("update", resolve));
      const startedAt = performance.now();
      from.text.insert(0, "y");
      await arrived;
      times.push(performance.now() - startedAt);
    }
    const typical = median(times);
    const maximum = Math.max(...times);
    measured(`edits of bystanders: median ${typical.toFixed(1)} ms, maximum ${maximum.toFixed(1)} ms`);
    expect(typical).toBeLessThan(MEDIAN_MS);
    expect(maximum).toBeLessThan(MAXIMUM_MS);
  }

  /** To be called when the fault is over: what was withheld is acknowledged, without a reconnect. */
  async expectServiceAgain(): Promise<void> {
    const startedAt = performance.now();
    await this.acknowledged().catch(async (error: unknown) => {
      throw new Error(`Readiness is ${JSON.stringify(await this.readiness())}`, { cause: error });
    });
    await until("green readiness", async () => (await this.readiness()).status === 200);
    measured(`service again after ${(performance.now() - startedAt).toFixed(0)} ms`);
    expect(this.writer.closes).toEqual([]);
    await this.edit("after ");
    await this.acknowledged();
  }

  /** Nobody is left who could bring an edit back. */
  async crash(): Promise<void> {
    await this.server.ended("SIGKILL");
    for (const client of [...this.#bystanders, ...Object.values(this.#people)]) client.leave();
  }

  /** To be called after a crash: the room is in its snapshot then. */
  async compactByOrderlyStop(): Promise<void> {
    await (await startProcess({ DATABASE_URL: this.#databaseUrl })).ended("SIGTERM");
  }

  /** For faults that the server need not notice: what it does acknowledge it has to keep. */
  async expectNothingLostOr(expectRefused: () => Promise<void>): Promise<void> {
    if (!this.writer.provider.hasUnsyncedChanges) this.#acknowledged = this.writer.content;
    await this.crash();
    const probe = new ServerProcess({ DATABASE_URL: this.#databaseUrl });
    onTestFinished(async () => {
      await probe.ended("SIGKILL");
    });
    await until("started or refused", () => probe.port || probe.stderr);
    await probe.ended("SIGKILL");
    measured(probe.stderr || "started again");
    await (probe.stderr ? expectRefused() : this.expectNothingLost());
  }

  /** After a crash, from the disk alone. */
  async expectNothingLost(): Promise<void> {
    await this.crash();
    const server = await startProcess({ DATABASE_URL: this.#databaseUrl });
    const visitor = await connect({ url: server.url, name: "room" }).synced();
    expect(visitor.content.slice(0, this.#acknowledged.length)).toBe(this.#acknowledged);
  }
}

/** One line of standard error, with exit code 1: a start that is refused. */
export async function expectStartRefused(databaseUrl: string, reason: RegExp): Promise<void> {
  const server = new ServerProcess({ DATABASE_URL: databaseUrl });
  onTestFinished(async () => {
    await server.ended("SIGKILL");
  });
  const { code } = await server.ended();
  expect(server.stderr).toMatch(reason);
  expect([code, server.stderr.trimEnd().split("\n").length]).toEqual([1, 1]);
}

/** For the report of who asks for it; nobody reads it in a green run. */
export function measured(line: string): void {
  if (process.env["FAULTS_VERBOSE"]) process.stderr.write(`  measured: ${line}\n`);
}
