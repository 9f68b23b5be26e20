/** Knows the environment's names. Reports every problem at once, by name and never with a secret's value. */
import { z } from "zod";

/** Public, and so for development only. The README of the collaboration server starts it with the same. */
const DEV_SECRET = "dev-secret-change-me-0123456789abcdef";

/** Injection token: `@Inject(CONFIG) config: Config`. */
export const CONFIG = Symbol("CONFIG");

export interface Config {
  production: boolean;
  port: number;
  host: string;
  jwtSecret: string;
  jwtIssuer: string | undefined;
  jwtAudience: string | undefined;
  tokenTtlSeconds: number;
  /** Tokens carry a `rooms` claim, for a collaboration server that asks no webhook (AUTH_MODE=jwt). */
  tokenCarriesRooms: boolean;
  webhookSecret: string;
  adminToken: string | undefined;
  /** The collaboration server, to be told of changed rights; unset, it finds them out at its next re-check. */
  collabUrl: string | undefined;
  collabAdminToken: string | undefined;
  demoFaults: boolean;
  /** Names of the secrets that were not set and got the development value. */
  defaultedSecrets: string[];
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const integer = z.string().regex(/^\d+$/, "must be a whole number").transform(Number);
const flag = z.enum(["0", "1"], "must be 0 or 1").transform((value) => value === "1");

const environment = z.object({
  NODE_ENV: z.string().default("development"),
  PORT: integer.pipe(z.number().max(65_535)).default(3000),
  HOST: z.string().default("0.0.0.0"),
  JWT_SECRET: z.string().default(DEV_SECRET),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  TOKEN_TTL_SECONDS: integer.pipe(z.number().min(1)).default(3600),
  TOKEN_ROOMS: flag.default(false),
  AUTH_WEBHOOK_SECRET: z.string().default(DEV_SECRET),
  ADMIN_TOKEN: z.string().optional(),
  COLLAB_URL: z.url().optional(),
  COLLAB_ADMIN_TOKEN: z.string().optional(),
  DEMO_FAULTS: flag.default(false),
});

/** @throws ConfigError that names everything wrong, one problem a line */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  // Compose and CI pass an unset variable on as an empty string.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"),
    );
  }
  const values = parsed.data;
  const production = values.NODE_ENV === "production";
  const problems = production ? insecureInProduction(values) : [];
  if (values.COLLAB_URL !== undefined && values.COLLAB_ADMIN_TOKEN === undefined)
    problems.push("COLLAB_ADMIN_TOKEN: COLLAB_URL needs it (ADMIN_TOKEN of the collaboration server)");
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));

  return {
    production,
    port: values.PORT,
    host: values.HOST,
    jwtSecret: values.JWT_SECRET,
    jwtIssuer: values.JWT_ISSUER,
    jwtAudience: values.JWT_AUDIENCE,
    tokenTtlSeconds: values.TOKEN_TTL_SECONDS,
    tokenCarriesRooms: values.TOKEN_ROOMS,
    webhookSecret: values.AUTH_WEBHOOK_SECRET,
    adminToken: values.ADMIN_TOKEN,
    // A slash at the end would make the paths behind it other paths.
    collabUrl: values.COLLAB_URL?.replace(/\/+$/, ""),
    collabAdminToken: values.COLLAB_ADMIN_TOKEN,
    demoFaults: values.DEMO_FAULTS,
    defaultedSecrets: ["JWT_SECRET", "AUTH_WEBHOOK_SECRET"].filter((name) => given[name] === undefined),
  };
}

function insecureInProduction(values: z.infer<typeof environment>): string[] {
  const problems = (["JWT_SECRET", "AUTH_WEBHOOK_SECRET"] as const)
    // A development value written out is as public as one left out.
    .filter((name) => values[name] === DEV_SECRET)
    .map((name) => `${name}: missing, or the public development value; production needs one of its own`);
  if (values.DEMO_FAULTS) problems.push("DEMO_FAULTS: breaks the webhook on request; not in production");
  return problems;
}
