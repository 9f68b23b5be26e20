/** The command line of `npm run chaos`. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { whole } from "../command-line.ts";
import { FAULT_HELP, FAULTS, type Fault } from "./fault-plan.ts";

export const USAGE = `node campaigns/chaos/run.ts [options]
  --faults N     at least so many (50)
  --only A,B     of these kinds (all)
${FAULTS.map((fault) => `                   ${fault.padEnd(16)} ${FAULT_HELP[fault]}`).join("\n")}
  --instances N  (3)
  --rooms N      (4)
  --seconds N    no stretch of faults begins later (900)
  --seed N       repeats the draws of a run (random)`;

export interface Options {
  readonly count: number;
  readonly faults: readonly Fault[];
  readonly instances: number;
  readonly rooms: number;
  readonly longestMs: number;
  readonly seed: number;
}

/** Null when help is asked for. @throws an Error that says what is wrong. */
export function parseOptions(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      faults: { type: "string", default: "50" },
      only: { type: "string" },
      instances: { type: "string", default: "3" },
      rooms: { type: "string", default: "4" },
      seconds: { type: "string", default: "900" },
      seed: { type: "string", default: `${randomInt(1, 2 ** 31)}` },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    count: whole("faults", values.faults),
    faults: values.only?.split(",").map(parseFault) ?? FAULTS,
    instances: whole("instances", values.instances, { least: 2 }),
    rooms: whole("rooms", values.rooms),
    longestMs: whole("seconds", values.seconds) * 1000,
    seed: whole("seed", values.seed),
  };
}

function parseFault(name: string): Fault {
  const fault = FAULTS.find((known) => known === name);
  if (!fault) throw new Error(`No fault ${name}. There are: ${FAULTS.join(", ")}`);
  return fault;
}
