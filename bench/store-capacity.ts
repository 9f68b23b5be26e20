/**
 * `npm run bench:store-capacity`: what one store takes of edits. So many instances commit one batch after the other, each as fast as the store
 * lets it, and nobody merges: an instance in service does not ask for more than 25 commits/s below 2,500 edits/s (`storage/journal.ts`).
 */
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { beginRun, say, whole } from "../campaigns/command-line.ts";
import { createDatabase, STORE_NAMES, type StoreName } from "../campaigns/database.ts";
import { ThreadedStore } from "../storage/threaded-store.ts";
import { StorageError, type JournalEntry } from "../storage/store.ts";
import { measureFsyncMs } from "./fsync.ts";

/** As in the other benches, bytes. */
const EDIT = Buffer.alloc(110, 1);
const ROOMS = 1_000;

const options = beginRun({
  usage:
    "npm run bench:store-capacity -- [--store sqlite,postgres] [--instances 1,4,16] [--rows 1,40,100] [--seconds 5]",
  parse(args) {
    const { values } = parseArgs({
      args,
      options: {
        store: { type: "string", default: STORE_NAMES.join() },
        instances: { type: "string", default: "1,4,16" },
        rows: { type: "string", default: "1,40,100" },
        seconds: { type: "string", default: "5" },
      },
    });
    const stores = values.store.split(",");
    const isStore = (name: string): name is StoreName => STORE_NAMES.some((known) => known === name);
    if (!stores.every(isStore)) throw new Error(`--store must be of ${STORE_NAMES.join()}`);
    const numbers = (name: "instances" | "rows"): number[] =>
      values[name].split(",").map((text) => whole(name, text));
    const seconds = whole("seconds", values.seconds);
    return { stores, instances: numbers("instances"), rows: numbers("rows"), seconds };
  },
});
if (options) {
  say(`fsync of 4 kB in ${tmpdir()}: median ${measureFsyncMs().toFixed(2)} ms; ${options.seconds} s each\n`);
  say("| store | instances | edits in a commit | commits/s | edits/s | slowest of a hundred commits, ms |");
  say("|---|---|---|---|---|---|");
  for (const store of options.stores)
    for (const instances of options.instances)
      for (const rows of options.rows)
        // One after the other, each alone on the machine.
        // oxlint-disable-next-line no-await-in-loop
        say(await measure({ store, instances, rows, seconds: options.seconds }));
  process.exit(0);
}

interface Case {
  readonly store: StoreName;
  readonly instances: number;
  readonly rows: number;
  readonly seconds: number;
}

async function measure({ store, instances, rows, seconds }: Case): Promise<string> {
  const database = await createDatabase(store);
  const stores = Array.from({ length: instances }, () => new ThreadedStore({ databaseUrl: database.url }));
  // One after the other: the first makes the tables.
  // oxlint-disable-next-line no-await-in-loop
  for (const one of stores) await one.check();
  const until = performance.now() + seconds * 1_000;
  const times = (await Promise.all(stores.map((one) => commitUntil(until, one, rows)))).flat();
  await Promise.all(stores.map((one) => one.close()));
  await database.remove();
  const perSecond = times.length / seconds;
  const slow = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
  return `| ${store} | ${instances} | ${rows} | ${Math.round(perSecond)} | ${Math.round(perSecond * rows)} | ${slow.toFixed(1)} |`;
}

/** Returns how long each commit took, ms. */
async function commitUntil(until: number, store: ThreadedStore, rows: number): Promise<number[]> {
  const times: number[] = [];
  let edits = 0;
  while (performance.now() < until) {
    const batch: JournalEntry[] = Array.from({ length: rows }, () => {
      edits += 1;
      return { room: `room-${edits % ROOMS}`, update: EDIT, at: Date.now(), author: "ana" };
    });
    const startedAt = performance.now();
    // An instance has one batch under way, and tries until it is in: of many on one SQLite file some find it locked for too long.
    // oxlint-disable-next-line no-await-in-loop
    while (!(await isAppended(store, batch)));
    times.push(performance.now() - startedAt);
  }
  return times;
}

async function isAppended(store: ThreadedStore, batch: readonly JournalEntry[]): Promise<boolean> {
  try {
    await store.append(batch);
    return true;
  } catch (error) {
    if (error instanceof StorageError) return false;
    throw error;
  }
}
