/** What is measured, by names that say it: `rooms100x10@5000` is 100 rooms of 10 with 5,000 updates/s in total. */
import type { Shape } from "./workload.ts";

export const DEFAULT_SCENARIOS = ["rooms100x10@1000", "rooms100x10@5000", "room200@50", "idle5000"];

/** Two in a room, so that an update has one delivery and saving it is most of what it costs: `--scenario durability`. */
const DURABILITY_SCENARIOS = ["rooms100x2@500", "rooms100x2@2000", "rooms100x2@5000"];

/** Half of each room at each instance, with `--instances 2`; of two, each update has one delivery, and that across. */
const SCALE_OUT_SCENARIOS = ["rooms50x10@500", "rooms50x10@2000", "rooms50x2@500", "rooms50x2@2000"];

/** Small enough for a machine that is busy with something else: does the harness work? */
export const CHECK_SCENARIOS = ["rooms2x10@100", "room20@10", "idle50"];

const IDLE_CONNECTIONS_PER_ROOM = 10;

export type Scenario = Shape & { name: string } & (
    | { kind: "load"; updatesPerSecond: number }
    | { kind: "idle" }
  );

/** Throws an Error that says which names there are. A load without a rate means all its default rates. */
export function parseScenarios(names: string[]): Scenario[] {
  return names.flatMap((name) => {
    if (name === "durability") return DURABILITY_SCENARIOS.map(parseScenario);
    if (name === "scale-out") return SCALE_OUT_SCENARIOS.map(parseScenario);
    const withRate = DEFAULT_SCENARIOS.filter((known) => known.startsWith(`${name}@`));
    return withRate.length > 0 ? withRate.map(parseScenario) : [parseScenario(name)];
  });
}

function parseScenario(name: string): Scenario {
  const load = /^rooms?(?:(?<rooms>\d+)x)?(?<connections>\d+)@(?<rate>\d+)$/.exec(name)?.groups;
  if (load) {
    const rooms = Number(load["rooms"] ?? 1);
    const connectionsPerRoom = Number(load["connections"]);
    return { kind: "load", name, rooms, connectionsPerRoom, updatesPerSecond: Number(load["rate"]) };
  }
  const idle = /^idle(?<connections>\d+)$/.exec(name)?.groups;
  if (idle) {
    const rooms = Math.ceil(Number(idle["connections"]) / IDLE_CONNECTIONS_PER_ROOM);
    return { kind: "idle", name, rooms, connectionsPerRoom: IDLE_CONNECTIONS_PER_ROOM };
  }
  throw new Error(
    `No scenario ${name}. Default: ${DEFAULT_SCENARIOS.join(", ")}. Other sets: durability, scale-out. Others of the forms rooms<N>x<M>@<updates/s>, room<N>@<updates/s>, idle<N>.`,
  );
}
