/** The command line of `npm run crash`. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { whole } from "../command-line.ts";
import { STORE_NAMES, type StoreName } from "../database.ts";
import type { Fault } from "./round-plan.ts";

export const USAGE = `node campaigns/crash/run.ts [options]
  --store NAME         sqlite or postgres, made for the run and removed after it (sqlite)
  --database-url URL   instead: a database that is there; what is written stays in it
  --fault NAME         kill      SIGKILL of the server (default)
                       term      SIGTERM of the server
                       worker    the storage workers die in the running server, which is killed after that
                       postgres  the same with Postgres: SIGKILL and restart
                       mixed     all that the store has
  --kills N            at least so many faults (100)
  --edits N            at least so many acknowledged edits (50000)
  --rooms N            (4)
  --minutes N          no round begins later (20)
  --seed N             repeats the draws of a run (random)`;

const MAX_SEED = 2 ** 31;

export interface Options {
  readonly store: StoreName;
  readonly databaseUrl: string | null;
  readonly faults: readonly Fault[];
  readonly kills: number;
  readonly edits: number;
  readonly rooms: number;
  readonly longestMs: number;
  readonly seed: number;
}

/** Null when help is asked for. @throws an Error that says what is wrong. */
export function parseOptions(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      store: { type: "string" },
      "database-url": { type: "string" },
      fault: { type: "string", default: "kill" },
      kills: { type: "string", default: "100" },
      edits: { type: "string", default: "50000" },
      rooms: { type: "string", default: "4" },
      minutes: { type: "string", default: "20" },
      seed: { type: "string", default: `${randomInt(1, MAX_SEED)}` },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const databaseUrl = values["database-url"] ?? null;
  const store = parseStore(values.store ?? (databaseUrl?.startsWith("postgres") ? "postgres" : "sqlite"));
  return {
    store,
    databaseUrl,
    faults: parseFaults(values.fault, { canCrash: store === "postgres" && databaseUrl === null }),
    kills: whole("kills", values.kills),
    edits: whole("edits", values.edits),
    rooms: whole("rooms", values.rooms),
    longestMs: whole("minutes", values.minutes) * 60_000,
    seed: whole("seed", values.seed),
  };
}

function parseStore(name: string): StoreName {
  const store = STORE_NAMES.find((known) => known === name);
  if (!store) throw new Error(`No store ${name}. There are: ${STORE_NAMES.join(", ")}`);
  return store;
}

function parseFaults(name: string, { canCrash }: { readonly canCrash: boolean }): readonly Fault[] {
  const faults: readonly Fault[] = ["kill", "term", "worker", ...(canCrash ? ["postgres" as const] : [])];
  if (name === "mixed") return faults;
  const fault = faults.find((known) => known === name);
  if (!fault) throw new Error(`No fault ${name} with this store. There are: ${faults.join(", ")}, mixed`);
  return [fault];
}
