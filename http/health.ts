/**
 * What the server says about itself to load balancers and people.
 *
 * `/healthz` alive: restart it when this fails. `/readyz` ready: send nobody when this fails, and do not restart it, because a broken
 * disk is not mended by losing the memory that still holds the unsaved edits.
 */
import { setTimeout as delay } from "node:timers/promises";

export interface Readiness {
  readonly ready: boolean;
  /** Each part's state: `ok`, or what is wrong with it in a sentence. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Resolves when the part works; rejects with what is wrong. */
export type PartCheck = () => Promise<void>;

/** Platforms give a check one to five seconds; an answer with a reason beats their time-out. */
const CHECK_PATIENCE_MS = 800;

export async function checkReadiness(checks: Readonly<Record<string, PartCheck>>): Promise<Readiness> {
  const states = await Promise.all(
    Object.entries(checks).map(async ([part, check]) => [part, await stateOf(check)] as const),
  );
  return { ready: states.every(([, state]) => state === "ok"), parts: Object.fromEntries(states) };
}

async function stateOf(check: PartCheck): Promise<string> {
  const patience = new AbortController();
  const tooLate = delay(CHECK_PATIENCE_MS, `no answer in ${CHECK_PATIENCE_MS} ms`, {
    signal: patience.signal,
  });
  try {
    return await Promise.race([check().then(() => "ok"), tooLate]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    patience.abort();
    tooLate.catch(() => {});
  }
}
