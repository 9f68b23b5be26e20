/**
 * The option table: each environment variable once, with its default, its check and its help. Types, parsing, `--help`, the
 * README table and `.env.example` all come from here.
 */
import type { Algorithm } from "jsonwebtoken";
import { z } from "zod";
import { parsePublicKey } from "./jwt-key.ts";

export interface Option<T> {
  readonly name: string;
  /** As it would be written in the environment; null when the option is off or derived without it. */
  readonly fallback: string | null;
  readonly help: string;
  readonly schema: z.ZodType<T, string>;
  /** Its value is never printed, not even in an error. */
  readonly secret?: true;
}

function option<T, F extends string | null>(
  name: string,
  fallback: F,
  schema: z.ZodType<T, string>,
  help: string,
  extra: { readonly secret?: true } = {},
): Option<T> & { readonly fallback: F } {
  return { name, fallback, help, schema, ...extra };
}

const number = (min: number, max: number) =>
  z
    .string()
    .refine((text) => text.trim() !== "" && Number.isFinite(Number(text)), "must be a number")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`);
const integer = (min: number, max: number) =>
  number(min, max).refine(Number.isInteger, "must be a whole number");
const text = z.string().min(1, "must not be empty");
const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.string().pipe(z.enum(values, { error: `must be one of ${values.join(", ")}` }));
const commaList = text.transform((value) =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean),
);
/** As a browser states it, or with `*.` in front of the host: anything more would never be equal to an Origin header. */
const isOrigin = (value: string): boolean => /^https?:\/\/(?:\*\.)?[^\s/*]+$/.test(value);
const url = (...protocols: string[]) =>
  text.refine(
    (value) => protocols.includes(URL.parse(value)?.protocol ?? ""),
    `must be a URL starting with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  );
const isPostgresUrl = (value: string): boolean =>
  /^postgres(?:ql)?:$/.test(URL.parse(value)?.protocol ?? "") && value.includes("://");
const regExp = text.transform((value, context) => {
  try {
    // The whole name must match: an operator who writes `[a-z]+` does not mean "contains a letter".
    return new RegExp(`^(?:${value})$`, "u");
  } catch {
    context.addIssue("must be a regular expression");
    return z.NEVER;
  }
});
/** HMAC keys shorter than the hash are guessable offline from one token (RFC 7518, 3.2). */
const hmacKey = z.string().min(32, "must have at least 32 characters");
const publicKey = text.transform((value, context) => {
  try {
    return parsePublicKey(value.replaceAll("\\n", "\n"));
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

/** What jsonwebtoken verifies, without `none`: an unsigned token is nobody's word. */
const jwtAlgorithm = z.enum(
  ["HS", "RS", "ES", "PS"].flatMap((family) =>
    [256, 384, 512].map((bits) => `${family}${bits}` as Algorithm),
  ),
  { error: "may contain HS, RS, ES or PS with 256, 384 or 512, as in RS256" },
);

export const options = {
  port: option("PORT", "4000", integer(0, 65_535), "TCP port; 0 picks a free one"),
  host: option("HOST", "0.0.0.0", text, "Address to listen on"),
  nodeEnv: option(
    "NODE_ENV",
    "development",
    oneOf("development", "test", "production"),
    "`production` turns every insecure default into a refusal to start",
  ),
  logLevel: option(
    "LOG_LEVEL",
    "info",
    oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    "`debug` adds admissions and compactions, `trace` every Hocuspocus hook",
  ),
  logFormat: option(
    "LOG_FORMAT",
    null,
    oneOf("pretty", "json"),
    "`pretty` or `json`; pretty on a terminal, else json",
  ),
  allowedOrigins: option(
    "ALLOWED_ORIGINS",
    null,
    commaList.refine(
      (origins) => origins.every(isOrigin),
      "may contain origins only, such as https://app.example.com, no slash at the end",
    ),
    "Comma list of origins whose pages may connect, `https://*.example.com` for all subdomains; any in development, required in production",
  ),
  trustProxy: option(
    "TRUST_PROXY",
    "0",
    integer(0, 10),
    "Number of proxies in front whose `X-Forwarded-For` entry is believed",
  ),
  authMode: option(
    "AUTH_MODE",
    null,
    oneOf("jwt", "webhook", "jwt+webhook", "none"),
    "`jwt`, `webhook`, `jwt+webhook` or `none`; from what is set. `none` in production only if written out",
  ),
  jwtSecret: option("JWT_SECRET", null, hmacKey, "Key of HMAC-signed tokens, 32 characters or more", {
    secret: true,
  }),
  jwtPublicKey: option(
    "JWT_PUBLIC_KEY",
    null,
    publicKey,
    "PEM public key of RSA- or EC-signed tokens (instead of JWT_SECRET); `\\n` may stand for a line break",
  ),
  jwtAlgorithms: option(
    "JWT_ALGORITHMS",
    null,
    commaList.pipe(z.array(jwtAlgorithm)),
    "Comma list of accepted algorithms; by the key: HS256, RS256 or ES256",
  ),
  jwtIssuer: option("JWT_ISSUER", null, text, "Required `iss` claim"),
  jwtAudience: option("JWT_AUDIENCE", null, text, "Required `aud` claim"),
  jwtDefaultAccess: option(
    "JWT_DEFAULT_ACCESS",
    "none",
    oneOf("none", "read", "write"),
    "Access where the token has no `rooms` claim and no webhook decides",
  ),
  authWebhookUrl: option(
    "AUTH_WEBHOOK_URL",
    null,
    url("http:", "https:"),
    "The backend's endpoint that admits to a room",
  ),
  authWebhookSecret: option(
    "AUTH_WEBHOOK_SECRET",
    null,
    hmacKey,
    "Key that signs each webhook call, 32 characters or more",
    {
      secret: true,
    },
  ),
  authWebhookTimeoutMs: option(
    "AUTH_WEBHOOK_TIMEOUT_MS",
    "3000",
    integer(100, 20_000),
    "How long the backend may take; then the client is told to come back",
  ),
  authRecheckSeconds: option(
    "AUTH_RECHECK_SECONDS",
    "300",
    integer(0, 86_400),
    "How often the backend is asked again whether those inside may stay; 0 never. Five minutes of 10,000 people are 33 questions a second",
  ),
  adminToken: option(
    "ADMIN_TOKEN",
    null,
    hmacKey,
    "Bearer token of the room API and the metrics, 32 characters or more; without it they answer 404",
    { secret: true },
  ),
  databaseUrl: option(
    "DATABASE_URL",
    "sqlite:./data/collab.sqlite",
    text.refine(
      (value) => value === "memory:" || /^sqlite:.+/.test(value) || isPostgresUrl(value),
      "must be sqlite:<path>, postgres://<user>:<password>@<host>/<database> or memory:",
    ),
    "`sqlite:<path>`, `postgres://<user>:<password>@<host>/<database>`, or `memory:` (nothing survives a restart)",
    // It may carry a password.
    { secret: true },
  ),
  redisUrl: option(
    "REDIS_URL",
    null,
    url("redis:", "rediss:"),
    "`redis://…` or `rediss://…`, through which several instances with one store share their rooms; without it there is one instance",
    // It may carry a password.
    { secret: true },
  ),
  redisPrefix: option(
    "REDIS_PREFIX",
    "righttask",
    // A name of the project's own, so that a Redis may serve others as well; a stock Hocuspocus on the same rooms has `hocuspocus`. No colon: the
    // room `b:c` of `a` would be on one channel with the room `c` of `a:b`.
    text.refine((value) => /^[\w.-]{1,64}$/.test(value), "must be 1 to 64 letters, digits, `_ . -`"),
    "Begins the name of every channel and key in Redis: the same for all instances of one installation, another for each other",
  ),
  roomIdleSeconds: option(
    "ROOM_IDLE_SECONDS",
    "60",
    number(0, 86_400),
    "How long an empty room stays in memory, so that a reload costs no load",
  ),
  roomNamePattern: option(
    "ROOM_NAME_PATTERN",
    "[\\w\\-.:/]{1,200}",
    regExp,
    "Regular expression for a whole room name; letters, digits, `_ - . : /`, at most 200",
  ),
  maxConnections: option(
    "MAX_CONNECTIONS",
    "15000",
    integer(1, 1_000_000),
    "Sockets at once; one more is answered 503. Fits the usual 20,000 file descriptors with room for files and the webhook",
  ),
  maxConnectionsPerIp: option(
    "MAX_CONNECTIONS_PER_IP",
    "1000",
    integer(1, 1_000_000),
    "Sockets of one address (IPv6: of one /64) at once; one more is answered 429. An office of hundreds has one. Behind a proxy set TRUST_PROXY, or all clients are one address",
  ),
  maxConnectionsPerRoom: option(
    "MAX_CONNECTIONS_PER_ROOM",
    "1000",
    integer(1, 1_000_000),
    "People in one room at once: each edit is written to each of them",
  ),
  maxRoomsPerConnection: option(
    "MAX_ROOMS_PER_CONNECTION",
    "100",
    integer(1, 10_000),
    "Rooms on one socket at once; a page shows a few",
  ),
  maxMessagesPerSecond: option(
    "MAX_MESSAGES_PER_SECOND",
    "500",
    integer(1, 100_000),
    "What one socket may send, over ten seconds; then it is closed. A page with five rooms and a cursor in each, at 60 Hz, sends 300",
  ),
  maxMessageBytes: option(
    "MAX_MESSAGE_BYTES",
    "8388608",
    integer(1024, 268_435_456),
    "Largest message from a client; 8 MiB holds the whole of a 20,000-task list coming back from offline",
  ),
  maxDocumentBytes: option(
    "MAX_DOCUMENT_BYTES",
    "52428800",
    integer(1024, 1_073_741_824),
    "Largest room; an edit beyond is refused. 50 MiB are a quarter of a million tasks, which take seconds to load",
  ),
  maxRoomsBytes: option(
    "MAX_ROOMS_BYTES",
    null,
    integer(65_536, 1_099_511_627_776),
    "Memory that all open rooms may take together: their bytes, and 500 for each element. Not set it is half of Node's heap: on a machine of 2 GB about 512 MiB, 170,000 tasks in open rooms",
  ),
  maxAwarenessBytes: option(
    "MAX_AWARENESS_BYTES",
    "16384",
    integer(256, 1_048_576),
    "Largest presence state of one client; name, colour and cursor are a few hundred bytes",
  ),
  maxBufferedBytes: option(
    "MAX_BUFFERED_BYTES",
    "33554432",
    integer(65_536, 1_073_741_824),
    "What may wait for a client that does not read, beside its largest message; then it is cut off. 32 MiB is eight large rooms joined at once",
  ),
  maxUnsavedBytes: option(
    "MAX_UNSAVED_BYTES",
    "268435456",
    integer(1024, 17_179_869_184),
    "Edits that may wait for a database that does not take them; then all clients are sent away until it does, and keep what they write. 256 MiB is hours of typing",
  ),
  shutdownSeconds: option(
    "SHUTDOWN_SECONDS",
    "25",
    number(1, 3600),
    "Deadline for an orderly stop; keep it below the platform's kill timeout (fly.toml: 30 s)",
  ),
} as const;

export type OptionKey = keyof typeof options;

type Parsed<K extends OptionKey> =
  | z.output<(typeof options)[K]["schema"]>
  | ((typeof options)[K]["fallback"] extends string ? never : null);

/** The parsed value of each option; null where an option without a default is not set. */
export type OptionValues = { readonly [K in OptionKey]: Parsed<K> };
