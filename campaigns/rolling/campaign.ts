/** A rolling restart under load: each instance is stopped in turn, and a new one takes its place before the next. */
import type { Database } from "../database.ts";
import { readRoom } from "../room-reader.ts";
import { ServerChild } from "../server-child.ts";
import { Balancer } from "./balancer.ts";
import { CrowdProcess } from "./crowd-process.ts";
import type { Absence, Edit } from "./member.ts";

export interface CampaignOptions {
  readonly database: Database;
  /** Where several instances meet. */
  readonly redisUrl: string;
  readonly instances: number;
  readonly clients: number;
  readonly rooms: number;
  /** Of the clients; the others only look on. */
  readonly writers: number;
  /** Processes that the clients are shared out to. */
  readonly crowds: number;
  readonly editEveryMs: number;
  /** Of the load balancer. */
  readonly checkEveryMs: number;
  /** Of the servers. */
  readonly shutdownSeconds: number;
  readonly onProgress?: (text: string) => void;
}

export interface CampaignReport {
  readonly absences: readonly Absence[];
  /** Attempts to come back that came to nothing. */
  readonly failedAttempts: number;
  /** Clients that were not back a minute after the last restart. */
  readonly missing: number;
  readonly written: number;
  readonly acknowledged: number;
  /** Acknowledged, and not there for a reader of the store alone. */
  readonly lost: readonly string[];
  /** Written, and not there for that reader, or never acknowledged. */
  readonly unsaved: readonly string[];
  readonly restartsMs: readonly number[];
  readonly problems: readonly string[];
}

const READING_MS = 60_000;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const campaign = new Campaign(options);
  try {
    return await campaign.run();
  } finally {
    await campaign.end();
  }
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #servers = new Set<ServerChild>();
  readonly #crowds: CrowdProcess[] = [];
  readonly #problems: string[] = [];
  #balancer: Balancer | null = null;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  async run(): Promise<CampaignReport> {
    const { instances, onProgress = () => {} } = this.#options;
    const balancer = await Balancer.start(this.#options);
    this.#balancer = balancer;
    const running: Instance[] = [];
    for (let i = 0; i < instances; i++) running.push(await this.#start(balancer));
    await this.#enter(balancer.url);
    onProgress("everybody is inside");

    const restartsMs: number[] = [];
    for (const [index, instance] of running.entries()) {
      const startedAt = performance.now();
      await this.#stop(instance);
      balancer.remove(instance.port);
      running[index] = await this.#start(balancer);
      restartsMs.push(performance.now() - startedAt);
      onProgress(`restarted ${restartsMs.length} of ${instances}`);
    }
    const reports = await Promise.all(this.#crowds.map((crowd) => crowd.finish()));
    await Promise.all(running.map((instance) => this.#stop(instance)));

    const edits = reports.flatMap((report) => report.edits);
    const stored = await this.#storedKeys([...new Set(edits.map(({ room }) => room))]);
    const isStored = ({ room, key }: Edit): boolean => stored.get(room)?.has(key) ?? false;
    const acknowledged = edits.filter((edit) => edit.acknowledged);
    const names = (some: readonly Edit[]): string[] => some.map(({ room, key }) => `${room}/${key}`);
    return {
      absences: reports.flatMap((report) => report.absences),
      failedAttempts: reports.reduce((sum, report) => sum + report.failedAttempts, 0),
      missing: reports.reduce((sum, report) => sum + report.missing, 0),
      written: edits.length,
      acknowledged: acknowledged.length,
      lost: names(acknowledged.filter((edit) => !isStored(edit))),
      unsaved: names(edits.filter((edit) => !edit.acknowledged || !isStored(edit))),
      restartsMs,
      problems: this.#problems,
    };
  }

  /** Ends whatever the run has started, also after a failure. */
  async end(): Promise<void> {
    for (const crowd of this.#crowds) crowd.end();
    this.#balancer?.close();
    for (const server of this.#servers) server.signal("SIGKILL");
    await Promise.all([...this.#servers].map(({ ended }) => ended));
  }

  async #start(balancer: Balancer): Promise<Instance> {
    const { instances, redisUrl } = this.#options;
    const server = this.#launch(instances > 1 ? { REDIS_URL: redisUrl } : {});
    const port = Number(new URL(await server.listening).port);
    await balancer.add(port);
    return { server, port };
  }

  #launch(env: Readonly<Record<string, string>>): ServerChild {
    const { clients, database, shutdownSeconds } = this.#options;
    const server = new ServerChild("server.ts", {
      DATABASE_URL: database.url,
      SHUTDOWN_SECONDS: `${shutdownSeconds}`,
      // The balancer's is everybody's.
      MAX_CONNECTIONS_PER_IP: `${clients * 2}`,
      ...env,
    });
    this.#servers.add(server);
    return server;
  }

  async #stop({ server }: Instance): Promise<void> {
    server.signal("SIGTERM");
    const { code, signal } = await server.ended;
    if (code !== 0) this.#problems.push(`SIGTERM ended with ${code ?? signal}\n${server.output}`);
  }

  async #enter(url: string): Promise<void> {
    const { clients, rooms, writers, crowds, editEveryMs } = this.#options;
    const all = Array.from({ length: clients }, (_, index) => ({
      name: `client-${index}`,
      room: `room-${index % rooms}`,
      writes: index < writers,
    }));
    for (let part = 0; part < crowds; part++) {
      const clientsOfPart = all.filter((_, index) => index % crowds === part);
      this.#crowds.push(new CrowdProcess({ url, clients: clientsOfPart, editEveryMs }));
    }
    await Promise.all(this.#crowds.map(({ inside }) => inside));
  }

  /** What a server finds that knows the rooms from the store alone. */
  async #storedKeys(rooms: readonly string[]): Promise<Map<string, Set<string>>> {
    const server = this.#launch({});
    const url = await server.listening;
    const signal = AbortSignal.timeout(READING_MS);
    const keys = new Map<string, Set<string>>();
    for (const room of rooms)
      keys.set(
        room,
        await readRoom({ url, room, signal }, (document) => new Set(document.getMap("tasks").keys())),
      );
    return keys;
  }
}

interface Instance {
  readonly server: ServerChild;
  readonly port: number;
}
