/**
 * Hostile sessions, several at a time, against one real server with well-behaved users in the attacked room and in a quiet one. Afterwards
 * the server is restarted, and whatever those users were told is saved has to be there.
 */
import * as fc from "fast-check";
import { readRoom } from "../room-reader.ts";
import type { Database } from "../database.ts";
import { ServerChild } from "../server-child.ts";
import { Attacker, type Ends } from "./attacker.ts";
import { Bystander } from "./bystander.ts";
import { session } from "./session.ts";

/** Sessions at once. */
const ATTACKERS = 8;
/** Drawn at a time: a hundred thousand messages are more than one wants to have in memory. */
const DRAW = 64;
/** For the reading of a room afterwards. */
const PATIENCE_MS = 30_000;
/** What is looked for here are crashes and losses; with its limits in force the server would not even read most of it. */
const withoutLimits = { MAX_MESSAGES_PER_SECOND: "100000", MAX_CONNECTIONS_PER_IP: "100000" };

export interface CampaignOptions {
  readonly database: Database;
  readonly seed: number;
  /** At least so many hostile messages. */
  readonly messages: number;
  readonly onProgress?: (ends: Ends) => void;
}

export interface BystanderReport {
  readonly room: string;
  readonly saved: number;
  readonly lost: readonly string[];
  readonly slowestMs: number;
}

export interface CampaignReport {
  readonly sessions: number;
  readonly ends: Ends;
  readonly bystanders: readonly BystanderReport[];
  /** Whatever was not as promised. */
  readonly problems: readonly string[];
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { database, seed, messages, onProgress } = options;
  const env = { DATABASE_URL: database.url, ...withoutLimits };
  const server = new ServerChild("server.ts", env);
  const problems: string[] = [];
  const life = { isOver: false };
  void server.ended.then(() => (life.isOver = true));
  const url = await server.listening;
  const bystanders = ["fuzzed", "fuzzed", "quiet"].map((room) => new Bystander(url, room));
  await Promise.all(bystanders.map((bystander) => bystander.inside()));

  const attacker = new Attacker(url);
  let sessions = 0;
  while (attacker.ends.messages < messages && !life.isOver) {
    const drawn = fc.sample(session, { seed: seed + sessions, numRuns: DRAW });
    sessions += drawn.length;
    await Promise.all(
      Array.from({ length: ATTACKERS }, async () => {
        for (let next = drawn.pop(); next; next = drawn.pop()) await attacker.play(next);
      }),
    ).catch((error: unknown) => problems.push(`A session could not be played: ${String(error)}`));
    onProgress?.(attacker.ends);
  }
  if (life.isOver) problems.push(`The server ended:\n${server.output}`);
  else await Promise.all(bystanders.map((bystander) => bystander.stop()));
  server.signal("SIGTERM");
  const { code } = await server.ended;
  if (code !== 0) problems.push(`The server's exit code was ${code}`);
  for (const { room, closes } of bystanders)
    if (closes.length > 0) problems.push(`A bystander in ${room} was put out: ${closes.join(", ")}`);

  return { sessions, ends: attacker.ends, bystanders: await look(env, bystanders), problems };
}

/** What a fresh reader of a fresh server finds of what was called saved. */
async function look(
  env: Readonly<Record<string, string>>,
  bystanders: readonly Bystander[],
): Promise<BystanderReport[]> {
  const server = new ServerChild("server.ts", env);
  const url = await server.listening;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const reports: BystanderReport[] = [];
  for (const { room, saved, slowestMs } of bystanders) {
    const lost = await readRoom({ url, room, signal }, (document) =>
      saved.filter((key) => document.getMap("bystanders").get(key) !== true),
    );
    reports.push({ room, saved: saved.length, lost, slowestMs });
  }
  server.signal("SIGTERM");
  await server.ended;
  return reports;
}
