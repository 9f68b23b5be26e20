import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits until `condition` holds and returns what it returned, looking every few milliseconds. For what announces itself by no event;
 * with a deadline and a message, so that a failing test says what it waited for.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await delay(5);
  }
}
