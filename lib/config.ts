/**
 * Reads the environment against the option table: all problems at once, each by name, no secret printed.
 * The only file that touches `process.env`.
 */
import { getHeapStatistics } from "node:v8";
import type { Algorithm } from "jsonwebtoken";
import leven from "leven";
import { algorithmOf, isUsableWith } from "./jwt-key.ts";
import { options, type Option, type OptionKey, type OptionValues } from "./options.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export type AuthMode = NonNullable<OptionValues["authMode"]>;

export interface Config extends OptionValues {
  readonly production: boolean;
  readonly logFormat: "pretty" | "json";
  readonly authMode: AuthMode;
  readonly maxRoomsBytes: number;
  /** Insecure development defaults in force, each a sentence to be said loudly at start. */
  readonly warnings: readonly string[];
}

/** sysexits.h EX_CONFIG: supervisors can tell "wrong configuration, do not restart" from a crash. */
export const EXIT_CONFIG = 78;

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem(s):\n${problems.map((line) => `  - ${line}`).join("\n")}`,
    );
    this.problems = problems;
  }
}

const entries = Object.entries(options) as [OptionKey, Option<unknown>][];

/**
 * The configuration in `environment`.
 *
 * An empty variable counts as not set: Compose and CI systems pass `NAME=` for what they do not have.
 * @throws ConfigError with every problem found.
 */
export function readConfig(environment: Environment = process.env): Config {
  const problems = misspelled(environment);
  const parsed: Partial<Record<OptionKey, unknown>> = {};
  for (const [key, { name, fallback, schema, secret }] of entries) {
    const written = environment[name] || fallback;
    if (written === null) {
      parsed[key] = null;
      continue;
    }
    const result = schema.safeParse(written);
    if (result.success) parsed[key] = result.data;
    else problems.push(`${name} ${complaint(result.error.issues)}${secret ? "" : ` (it is "${written}")`}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return complete(parsed as OptionValues);
}

/** Derives what is not written out, and holds production to secure settings. */
function complete(values: OptionValues): Config {
  const production = values.nodeEnv === "production";
  const hasKey = values.jwtSecret !== null || values.jwtPublicKey !== null;
  const authMode = values.authMode ?? authModeFrom({ hasKey, hasWebhook: values.authWebhookUrl !== null });
  const problems: string[] = [];
  const warnings: string[] = [];

  if (values.allowedOrigins === null) {
    if (production) problems.push("ALLOWED_ORIGINS must be set (NODE_ENV=production)");
    else warnings.push("Pages of any origin may connect: ALLOWED_ORIGINS is not set");
  }
  if (authMode === "none") {
    if (production && values.authMode === null) {
      problems.push(
        "AUTH_MODE must be jwt, webhook or jwt+webhook with its keys, or none if you mean it (NODE_ENV=production)",
      );
    } else {
      warnings.push(
        "Everybody may edit every room: AUTH_MODE is none (JWT_SECRET or AUTH_WEBHOOK_URL would change that)",
      );
    }
  }
  if (values.databaseUrl === "memory:") {
    warnings.push("Rooms live in memory only (DATABASE_URL=memory:): a restart loses them");
  }
  if (values.jwtSecret !== null && values.jwtPublicKey !== null) {
    problems.push("JWT_SECRET and JWT_PUBLIC_KEY exclude each other: a token is checked with one key");
  }
  if (authMode.includes("jwt") && !hasKey) {
    problems.push(`JWT_SECRET or JWT_PUBLIC_KEY must be set for AUTH_MODE=${authMode}`);
  }
  const keyAlgorithm = values.jwtPublicKey && algorithmOf(values.jwtPublicKey);
  const isUsable = (name: Algorithm): boolean =>
    keyAlgorithm ? isUsableWith(name, keyAlgorithm) : name.startsWith("HS") === (values.jwtSecret !== null);
  if (values.jwtAlgorithms && !values.jwtAlgorithms.every(isUsable)) {
    // Accepting HS256 beside RS256 lets anybody sign with the public key (algorithm confusion).
    const kinds = keyAlgorithm
      ? `what JWT_PUBLIC_KEY can check, such as ${keyAlgorithm}`
      : "HS… with JWT_SECRET, else none HS…";
    problems.push(`JWT_ALGORITHMS must all be ${kinds}`);
  }
  if (authMode.includes("webhook")) {
    if (values.authWebhookUrl === null)
      problems.push(`AUTH_WEBHOOK_URL must be set for AUTH_MODE=${authMode}`);
    if (values.authWebhookSecret === null)
      problems.push("AUTH_WEBHOOK_SECRET must be set to sign the webhook's calls");
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const logFormat = values.logFormat ?? (process.stdout.isTTY ? "pretty" : "json");
  // The other half is for connections (15,000 take 300 MB), for what comes and goes, and for how far the estimate is off.
  const maxRoomsBytes = values.maxRoomsBytes ?? Math.floor(getHeapStatistics().heap_size_limit / 2);
  return { ...values, production, logFormat, authMode, maxRoomsBytes, warnings };
}

function authModeFrom({ hasKey, hasWebhook }: { hasKey: boolean; hasWebhook: boolean }): AuthMode {
  if (hasKey && hasWebhook) return "jwt+webhook";
  if (hasWebhook) return "webhook";
  return hasKey ? "jwt" : "none";
}

/** Variables that look like ours and that nobody reads: a typing error would silently leave a default in force. */
function misspelled(environment: Environment): string[] {
  const names = entries.map(([, option]) => option.name);
  // PORT, HOST and NODE_ENV are too common a beginning to be ours alone.
  const prefixes = new Set(
    names.filter((name) => !/^(PORT|HOST|NODE_)/.test(name)).map((name) => `${name.split("_")[0]}_`),
  );
  return (
    Object.keys(environment)
      .filter((name) => prefixes.has(`${name.split("_")[0]}_`) && !names.includes(name))
      // Kubernetes puts such variables into every container, one set for each service of the namespace.
      .filter((name) => !/_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP)(_\w+)?)?$/.test(name))
      .map((name) => `${name} is not a variable of this server; did you mean ${nearest(name, names)}?`)
  );
}

function nearest(name: string, names: readonly string[]): string {
  return names.toSorted((a, b) => leven(name, a) - leven(name, b))[0] ?? "";
}

function complaint(issues: readonly { readonly message: string }[]): string {
  return [...new Set(issues.map((issue) => issue.message))].join(" and ");
}
