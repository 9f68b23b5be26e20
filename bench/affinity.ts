/**
 * `npm run bench:affinity`: what a second instance is worth behind HAProxy, with its people's rooms at one instance each, and without that.
 * README.md says how to read what it prints.
 */
import { parseArgs } from "node:util";
import { beginRun, whole } from "../campaigns/command-line.ts";
import { findHaproxy } from "../test/support/haproxy-process.ts";
import { type Case, type CaseResult, measureCase } from "./affinity-measurement.ts";
import { parseScenarios, type Scenario } from "./scenarios.ts";
import { median } from "./statistics.ts";

const USAGE = `node bench/affinity.ts [options]
  --rounds N           how often each case is measured, in turns (3)
  --seconds N          measured time, after the warm-up (10)
  --warm-up N          seconds of the same load before that (3)
  --scenario A,B       (rooms50x10@200,rooms50x10@500) for one instance; two have twice the rooms and updates`;

const cases: readonly Case[] = [
  { name: "one instance", instances: 1, isRoomInPath: true },
  { name: "two, by room", instances: 2, isRoomInPath: true },
  { name: "two, wherever", instances: 2, isRoomInPath: false },
];

interface Options {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly scenarios: readonly Scenario[];
}

interface Result extends CaseResult {
  readonly scenario: string;
  readonly case: string;
  /** How many times the deliveries of one instance, in the same round, until an event loop is full. */
  readonly capacity: number;
}

const HEADER = [
  "| scenario | case | rooms at one instance | CPU µs/delivery, instances | busiest event loop µs/delivery | capacity, to one instance (range) | HAProxy µs/delivery | Redis µs/update | p50 / p99 ms | others CPU | not delivered |",
  "|---|---|---|---|---|---|---|---|---|---|---|",
].join("\n");

await main();

async function main(): Promise<void> {
  const options = beginRun({ usage: USAGE, parse: parseOptions });
  if (options === null) return;
  const haproxy = findHaproxy();
  if ("missing" in haproxy) throw new Error(haproxy.missing);
  const results: Result[] = [];
  for (let round = 1; round <= options.rounds; round += 1)
    for (const scenario of options.scenarios) {
      let one = Number.NaN;
      for (const each of cases) {
        // One after the other, each alone on the machine.
        // oxlint-disable-next-line no-await-in-loop
        const measured = await measureCase(each, { ...options, scenario, haproxy });
        if (each.instances === 1) one = busiest(measured);
        const result: Result = {
          ...measured,
          scenario: scenario.name,
          case: each.name,
          capacity: one / busiest(measured),
        };
        results.push(result);
        console.log(`round ${round}: ${summary([result])}`);
      }
    }
  console.log(`\n${HEADER}`);
  for (const same of Map.groupBy(results, (result) => `${result.scenario} ${result.case}`).values())
    console.log(summary(same));
  process.exit(0);
}

/** Of the instance whose event loop is full first. */
function busiest({ load }: CaseResult): number {
  return Math.max(...load.instances.map(({ mainThreadMicrosPerDelivery }) => mainThreadMicrosPerDelivery));
}

/** Medians over the rounds. */
function summary(same: readonly Result[]): string {
  const middle = (of: (result: Result) => number): number => median(same.map(of));
  const latency = (of: "p50" | "p99"): string =>
    middle(({ load }) => load.latencyMs?.[of] ?? Number.NaN).toFixed(1);
  const capacities = same.map(({ capacity }) => capacity);
  const cells = [
    same[0]?.scenario,
    same[0]?.case,
    `${(middle(({ undividedShare }) => undividedShare) * 100).toFixed(0)} %`,
    middle(({ load }) =>
      load.instances.reduce((sum, { cpuMicrosPerDelivery }) => sum + cpuMicrosPerDelivery, 0),
    ).toFixed(1),
    middle(busiest).toFixed(1),
    `${median(capacities).toFixed(2)} (${Math.min(...capacities).toFixed(2)} to ${Math.max(...capacities).toFixed(2)})`,
    middle(({ load }) => load.proxyMicrosPerDelivery).toFixed(1),
    middle(({ load }) => load.redisMicrosPerUpdate).toFixed(1),
    `${latency("p50")} / ${latency("p99")}`,
    `${(middle(({ load }) => load.othersCpuShare) * 100).toFixed(0)} %`,
    same.reduce((sum, { load }) => sum + load.missingDeliveries, 0),
  ];
  return `| ${cells.join(" | ")} |`;
}

function parseOptions(args: string[]): Options | null {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "10" },
      "warm-up": { type: "string", default: "3" },
      scenario: { type: "string", default: "rooms50x10@200,rooms50x10@500" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const scenarios = parseScenarios(values.scenario.split(","));
  const idle = scenarios.find(({ kind }) => kind === "idle");
  if (idle) throw new Error(`${idle.name} has no updates`);
  return {
    rounds: whole("rounds", values.rounds),
    measuredMs: whole("seconds", values.seconds) * 1000,
    warmUpMs: whole("warm-up", values["warm-up"]) * 1000,
    scenarios,
  };
}
