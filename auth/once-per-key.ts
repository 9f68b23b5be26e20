/** Whoever waits for an answer. */
export interface Asker {
  /**
   * Calls back once they are gone, and returns how to prevent it. Without it they wait to the end.
   */
  readonly onGone?: (callback: () => void) => () => void;
}

export interface OncePerKeyOptions<A, W extends Asker, R> {
  readonly keyOf: (argument: A, asker: W) => string;
  /** @param abandoned aborted when all askers are gone. */
  readonly run: (argument: A, asker: W, abandoned: AbortSignal) => Promise<R>;
  /** What becomes of the call of an asker who is gone. */
  readonly goneReason: () => Error;
}

interface Running<R> {
  readonly answer: Promise<R>;
  readonly abandon: AbortController;
  askers: number;
}

/**
 * Wraps an asynchronous function so that calls with the same key share one run while it lasts. Nothing is kept afterwards: the next
 * call asks again. A call ends at once when its asker is gone, because whoever awaits it keeps a token in memory.
 */
export function oncePerKey<A, W extends Asker, R>({
  keyOf,
  run,
  goneReason,
}: OncePerKeyOptions<A, W, R>): (argument: A, asker: W) => Promise<R> {
  const runningByKey = new Map<string, Running<R>>();

  const start = (key: string, argument: A, asker: W): Running<R> => {
    const abandon = new AbortController();
    const answer = run(argument, asker, abandon.signal).finally(() => {
      if (runningByKey.get(key) === running) runningByKey.delete(key);
    });
    // Whoever is gone does not handle it.
    answer.catch(() => {});
    const running: Running<R> = { answer, abandon, askers: 0 };
    runningByKey.set(key, running);
    return running;
  };

  return (argument, asker) => {
    const key = keyOf(argument, asker);
    const running = runningByKey.get(key) ?? start(key, argument, asker);
    running.askers++;
    const { onGone } = asker;
    if (!onGone) return running.answer;
    return new Promise((resolve, reject) => {
      const stay = onGone(() => {
        const reason = goneReason();
        reject(reason);
        if (--running.askers > 0) return;
        // In this step: who comes now asks anew, instead of hearing that somebody else is gone.
        if (runningByKey.get(key) === running) runningByKey.delete(key);
        running.abandon.abort(reason);
      });
      running.answer.finally(stay).then(resolve, reject);
    });
  };
}
