/**
 * What the server says about itself to load balancers and people.
 *
 * `/healthz` alive: restart it when this fails. `/readyz` ready: send nobody when this fails, and do not restart it, because a broken
 * disk is not mended by losing the memory that still holds the unsaved edits.
 */
import { setTimeout as delay } from "node:timers/promises";
import manifest from "../package.json" with { type: "json" };
import type { Routes } from "./router.ts";

/** Resolves when the part works; rejects with what is wrong. */
export type PartCheck = () => Promise<void>;

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
        Object.entries(checks).map(async ([part, check]) => [part, await stateOf(check)] as const),
      );
      const ready = states.every(([, state]) => state === OK);
      return { status: ready ? 200 : 503, body: { ready, parts: Object.fromEntries(states) } };
    },
  };
}

/** `ok`, or what is wrong in a sentence. */
async function stateOf(check: PartCheck): Promise<string> {
  const patience = new AbortController();
  const tooLate = delay(CHECK_PATIENCE_MS, `no answer in ${CHECK_PATIENCE_MS} ms`, {
    signal: patience.signal,
  });
  try {
    return await Promise.race([check().then(() => OK), tooLate]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    patience.abort();
    tooLate.catch(() => {});
  }
}
