/** The command line of `npm run bench`. */
import { parseArgs } from "node:util";
import { CHECK_SCENARIOS, DEFAULT_SCENARIOS, parseScenarios, type Scenario } from "./scenarios.ts";
import { PEER_NAMES, type PeerName, peers } from "./servers.ts";

export const USAGE = `node bench/run.ts [options]
  --rounds N           how often each server is measured, in turns (3)
  --seconds N          measured time of a load, after the warm-up (10)
  --warm-up N          seconds of the same load before that (3)
  --instances N        of each server, with a Redis between them and clients of each room at all of them (1)
  --only A,B           servers: ${PEER_NAMES.join(", ")} (all)
  --scenario A,B       ${DEFAULT_SCENARIOS.join(", ")} (all), others of these forms, durability or scale-out
  --check              small and short: does the harness work?`;

export interface Options {
  rounds: number;
  instances: number;
  measuredMs: number;
  warmUpMs: number;
  only: PeerName[];
  scenarios: Scenario[];
  isCheck: boolean;
}

/** Null when help is asked for. Throws an Error that says what is wrong. */
export function parseOptions(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      instances: { type: "string", default: "1" },
      seconds: { type: "string" },
      "warm-up": { type: "string" },
      only: { type: "string" },
      scenario: { type: "string" },
      check: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const isCheck = values.check;
  const instances = positive("instances", values.instances);
  return {
    isCheck,
    instances,
    rounds: positive("rounds", values.rounds ?? (isCheck ? "1" : "3")),
    measuredMs: positive("seconds", values.seconds ?? (isCheck ? "2" : "10")) * 1_000,
    warmUpMs: positive("warm-up", values["warm-up"] ?? (isCheck ? "1" : "3")) * 1_000,
    only: parsePeers(
      values.only?.split(",") ?? PEER_NAMES.filter((peer) => instances === 1 || peers[peer].scalesOut),
    ),
    scenarios: parseScenarios(values.scenario?.split(",") ?? (isCheck ? CHECK_SCENARIOS : DEFAULT_SCENARIOS)),
  };
}

function parsePeers(names: string[]): PeerName[] {
  const known = PEER_NAMES.filter((name) => names.includes(name));
  const unknown = names.filter((name) => !known.some((peer) => peer === name));
  if (unknown.length > 0)
    throw new Error(`No server ${unknown.join(", ")}. There are: ${PEER_NAMES.join(", ")}`);
  return known;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${option} must be a number above 0, not ${text}`);
  return value;
}
