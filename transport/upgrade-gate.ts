/**
 * Decides on a WebSocket upgrade before a socket exists. Refusing here is worth more than closing later: the stock provider backs
 * off (1 to 30 s, with jitter) only from attempts that fail before the socket opens.
 */
import { maxUnauthenticated } from "../limits/connection-counts.ts";

export interface UpgradeAttempt {
  /** Path and query. */
  readonly url: string;
  readonly origin: string | undefined;
}

export interface GateState {
  readonly stopping: boolean;
  readonly storageTrouble: boolean;
  readonly connections: number;
  /** Of the client's address. */
  readonly connectionsOfAddress: number;
  /** Those that have not logged in. */
  readonly unauthenticated: number;
}

export interface GateRules {
  /** Null lets any origin in. */
  readonly allowedOrigins: readonly string[] | null;
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
}

export interface Rejection {
  readonly status: 403 | 404 | 429 | 503;
  readonly message: string;
  /** Seconds; only where coming back can help. */
  readonly retryAfter?: number;
  /** What there is not enough of, where somebody could give way: of all places, or of those of the address. */
  readonly lacks?: "place" | "place-of-address";
}

/**
 * WebSocket paths. In `/rooms/<name>` the name is a hint for proxies; the room is named by each message. It may hold slashes: a page that
 * does not encode a name would otherwise fail with some of them.
 */
const PATHS = /^\/(?:(?:socket|rooms\/[^?]+)\/?)?(?:\?|$)/;

/** Null when the upgrade may go on. */
export function rejectUpgrade(attempt: UpgradeAttempt, state: GateState, rules: GateRules): Rejection | null {
  if (!PATHS.test(attempt.url))
    return { status: 404, message: "No WebSocket here; use /, /socket or /rooms/<name>." };
  if (!isAllowedOrigin(attempt.origin, rules.allowedOrigins)) {
    return { status: 403, message: `Origin ${attempt.origin} is not in ALLOWED_ORIGINS.` };
  }
  if (state.stopping) return { status: 503, message: "The server is stopping.", retryAfter: 1 };
  if (state.storageTrouble)
    return { status: 503, message: "Rooms cannot be saved right now.", retryAfter: 5 };
  if (state.connectionsOfAddress >= rules.maxConnectionsPerIp) {
    const message = "Too many connections from this address (MAX_CONNECTIONS_PER_IP).";
    return { status: 429, message, retryAfter: 10, lacks: "place-of-address" };
  }
  if (state.connections >= rules.maxConnections) {
    const message = "The server is full (MAX_CONNECTIONS).";
    return { status: 503, message, retryAfter: 10, lacks: "place" };
  }
  if (state.unauthenticated >= maxUnauthenticated(rules.maxConnections)) {
    const message = "Too many connections that have not logged in (half of MAX_CONNECTIONS).";
    return { status: 503, message, retryAfter: 2, lacks: "place" };
  }
  return null;
}

/**
 * A client without an Origin header is no browser page, so the check does not protect it or from it: it can claim any. Tokens do.
 */
function isAllowedOrigin(origin: string | undefined, allowed: readonly string[] | null): boolean {
  if (allowed === null || origin === undefined) return true;
  return allowed.some((pattern) => {
    const [scheme, domain] = pattern.split("://*.");
    if (domain === undefined) return origin === pattern;
    // At least one label in front, and nothing that only ends alike: https://evil-example.com is not below example.com.
    return (
      origin.startsWith(`${scheme}://`) &&
      origin.endsWith(`.${domain}`) &&
      origin.length > `${scheme}://.${domain}`.length
    );
  });
}
