/**
 * Log lines that clients can cause at will: a flood of connections or broken messages would be a flood of lines, and push everything else
 * out of the log. So many of each event are written, and the next one says how many were left out. Metrics count them all.
 */
import { TokenBucket } from "../limits/token-bucket.ts";
import type { Log } from "./log.ts";

/** A hundred at once tell the whole story of an ordinary trouble, and ten a second that of a long one. */
const LINES = { burst: 100, perSecond: 10 };

export type LineFields = { readonly event: string } & Readonly<Record<string, unknown>>;

interface Budget {
  readonly bucket: TokenBucket;
  omitted: number;
}

export class ClientLines {
  readonly #log: Log;
  /** By event; events are the code's, not the clients'. */
  readonly #budgets = new Map<string, Budget>();

  constructor(log: Log) {
    this.#log = log;
  }

  warn(fields: LineFields, message: string): void {
    this.write("warn", fields, message);
  }

  write(level: "debug" | "warn" | "error", fields: LineFields, message: string): void {
    const now = performance.now();
    let budget = this.#budgets.get(fields.event);
    if (!budget) {
      budget = { bucket: new TokenBucket(LINES, now), omitted: 0 };
      this.#budgets.set(fields.event, budget);
    }
    if (!budget.bucket.take(now)) {
      budget.omitted++;
      return;
    }
    const { omitted } = budget;
    budget.omitted = 0;
    this.#log[level](omitted > 0 ? { ...fields, omitted } : fields, message);
  }
}
