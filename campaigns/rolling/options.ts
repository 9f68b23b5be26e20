/** The command line of `npm run rolling`. */
import { parseArgs } from "node:util";
import { whole } from "../command-line.ts";
import { STORE_NAMES, type StoreName } from "../database.ts";

export const USAGE = `node campaigns/rolling/run.ts [options]
  --instances N   restarted one after the other (3); 1 is a restart with nobody who takes over
  --clients N     each a provider with a socket of its own (1000)
  --rooms N       (100)
  --writers N     of the clients (100)
  --edit-ms N     between two edits of a writer (500)
  --check-ms N    between two health checks of the load balancer, which takes an instance out after two that fail (1000)
  --shutdown N    SHUTDOWN_SECONDS of the instances (25)
  --store NAME    sqlite or postgres, made for the run and removed after it (sqlite)
  --limit N       seconds that nobody may be away longer (3)`;

export interface Options {
  readonly instances: number;
  readonly clients: number;
  readonly rooms: number;
  readonly writers: number;
  readonly editEveryMs: number;
  readonly checkEveryMs: number;
  readonly shutdownSeconds: number;
  readonly store: StoreName;
  readonly limitSeconds: number;
}

/** Null when help is asked for. @throws an Error that says what is wrong. */
export function parseOptions(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      instances: { type: "string", default: "3" },
      clients: { type: "string", default: "1000" },
      rooms: { type: "string", default: "100" },
      writers: { type: "string", default: "100" },
      "edit-ms": { type: "string", default: "500" },
      "check-ms": { type: "string", default: "1000" },
      shutdown: { type: "string", default: "25" },
      store: { type: "string", default: "sqlite" },
      limit: { type: "string", default: "3" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const store = STORE_NAMES.find((name) => name === values.store);
  if (!store) throw new Error(`--store must be one of ${STORE_NAMES.join(", ")}, not ${values.store}`);
  return {
    instances: whole("instances", values.instances),
    clients: whole("clients", values.clients),
    rooms: whole("rooms", values.rooms),
    writers: whole("writers", values.writers),
    editEveryMs: whole("edit-ms", values["edit-ms"]),
    checkEveryMs: whole("check-ms", values["check-ms"]),
    shutdownSeconds: whole("shutdown", values.shutdown),
    store,
    limitSeconds: whole("limit", values.limit),
  };
}
