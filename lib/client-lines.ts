/**
 * Log lines that clients, or whoever speaks on Redis, can cause at will: a flood of connections or broken messages would be a flood of lines,
 * and push everything else out of the log. So many of each kind are written, and the next one says how many were left out. Metrics count
 * them all.
 */
import { TokenBucket } from "../limits/token-bucket.ts";
import type { Log } from "./log.ts";

/** A hundred at once tell the whole story of an ordinary trouble, and ten a second that of a long one. */
const LINES = { burst: 100, perSecond: 10 };

export type LineFields = { readonly event: string; readonly reason?: string } & Readonly<
  Record<string, unknown>
>;

interface Budget {
  readonly bucket: TokenBucket;
  omitted: number;
}

export class ClientLines {
  readonly #log: Log;
  /**
   * By level, event and reason, all of them the code's and not the clients'. A crowd that is told one thing must not hide what somebody else is
   * told, nor lines that are not even written those that are.
   */
  readonly #budgets = new Map<string, Budget>();

  constructor(log: Log) {
    this.#log = log;
  }

  warn(fields: LineFields, message: string): void {
    this.write("warn", fields, message);
  }

  write(level: "debug" | "info" | "warn" | "error", fields: LineFields, message: string): void {
    const now = performance.now();
    const kind = `${level} ${fields.event} ${fields.reason}`;
    let budget = this.#budgets.get(kind);
    if (!budget) {
      budget = { bucket: new TokenBucket(LINES), omitted: 0 };
      this.#budgets.set(kind, budget);
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
