/**
 * What the server says about itself to load balancers and people.
 *
 * `/healthz` alive: restart it when this fails. `/readyz` ready: send nobody when this fails, and do not restart it, because a broken
 * disk is not mended by losing the memory that still holds the unsaved edits.
 */
import { setTimeout as delay } from "node:timers/promises";
import manifest from "../package.json" with { type: "json" };
import type { Routes } from "./router.ts";

/** Resolves when the part works; rejects with what is wrong, with `Degraded` where the server is of use all the same. */
export type PartCheck = () => Promise<void>;

/** Worse than it should be, and no reason to send people elsewhere. Answered 200, with its message. */
export class Degraded extends Error {
  override readonly name = "Degraded";
}

/** Platforms give a check one to five seconds; an answer with a reason beats their time-out. */
const CHECK_PATIENCE_MS = 800;

const OK = "ok";

export interface HealthOptions {
  /** Counts for `GET /`. */
  readonly describe: () => Readonly<Record<string, number>>;
  /** The parts that have to work, by name. */
  readonly checks: Readonly<Record<string, PartCheck>>;
}

export function healthRoutes({ describe, checks }: HealthOptions): Routes {
  const startedAt = performance.now();
  const uptime = (): number => Math.floor((performance.now() - startedAt) / 1000);
  return {
    // Without the version: it tells a stranger which faults to try.
    "GET /": () => ({ status: 200, body: { name: manifest.name, uptime: uptime(), ...describe() } }),
    "GET /healthz": () => ({ status: 200, body: { status: "ok" } }),
    "GET /readyz": async () => {
      const states = await Promise.all(
        Object.entries(checks).map(async ([part, check]) => ({ part, ...(await stateOf(check)) })),
      );
      const ready = states.every(({ isUsable }) => isUsable);
      const parts = Object.fromEntries(states.map(({ part, state }) => [part, state]));
      return { status: ready ? 200 : 503, body: { ready, parts } };
    },
  };
}

interface PartState {
  /** `ok`, or what is wrong in a sentence. */
  readonly state: string;
  readonly isUsable: boolean;
}

async function stateOf(check: PartCheck): Promise<PartState> {
  const patience = new AbortController();
  const tooLate = delay(CHECK_PATIENCE_MS, `no answer in ${CHECK_PATIENCE_MS} ms`, {
    signal: patience.signal,
  });
  try {
    const state = await Promise.race([check().then(() => OK), tooLate]);
    return { state, isUsable: state === OK };
  } catch (error) {
    if (error instanceof Degraded) return { state: `degraded: ${error.message}`, isUsable: true };
    return { state: error instanceof Error ? error.message : String(error), isUsable: false };
  } finally {
    patience.abort();
    tooLate.catch(() => {});
  }
}
