/**
 * Wraps an asynchronous function so that calls with the same key share one run while it lasts. Nothing is kept afterwards: the next
 * call asks again.
 */
export function oncePerKey<A, R>(
  keyOf: (argument: A) => string,
  run: (argument: A) => Promise<R>,
): (argument: A) => Promise<R> {
  const running = new Map<string, Promise<R>>();
  return (argument) => {
    const key = keyOf(argument);
    const existing = running.get(key);
    if (existing) return existing;
    const started = run(argument).finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };
}
