import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { expect, test } from "vitest";
import { ConfigError, readConfig } from "../lib/config.ts";
import { ServerProcess } from "./support/server-process.ts";

const secret = "0123456789abcdef0123456789abcdef";
const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" });
const p256 = pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey);
const ed25519 = pem(generateKeyPairSync("ed25519").publicKey);
const production = { NODE_ENV: "production", ALLOWED_ORIGINS: "https://app.example.com" };

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("[C1] all problems are reported at once, by name, and the exit code is 78", async () => {
  const server = new ServerProcess({ PORT: "http", LOG_LEVEL: "loud", SHUTDOWN_SECONDS: "-1" });
  const { code } = await server.ended();
  expect(code).toBe(78);
  expect(server.stderr).toMatch(
    /PORT must be a number.*\n.*LOG_LEVEL must be one of.*\n.*SHUTDOWN_SECONDS must be between/,
  );
});

test("[C1] an empty variable counts as not set", () => {
  expect(readConfig({ PORT: "", AUTH_WEBHOOK_URL: "" }).port).toBe(4000);
});

test("[C2] a secret is not printed, not even a wrong one", () => {
  const [problem] = problemsOf({ JWT_SECRET: "hunter2" });
  expect(problem).toContain("JWT_SECRET");
  expect(problem).not.toContain("hunter2");
});

test("[C3] a variable of ours that nobody reads is an error with the nearest name", () => {
  expect(problemsOf({ ROOM_IDLE_SECOND: "5", MAX_MESSAGE_BITES: "1" })).toEqual([
    "ROOM_IDLE_SECOND is not a variable of this server; did you mean ROOM_IDLE_SECONDS?",
    "MAX_MESSAGE_BITES is not a variable of this server; did you mean MAX_MESSAGE_BYTES?",
  ]);
  expect(problemsOf({ HOME: "/root", PORTAL: "1", HOSTNAME: "box" })).toEqual([]);
  // What Kubernetes adds for a service named "auth".
  expect(
    problemsOf({ AUTH_SERVICE_HOST: "10.0.0.1", AUTH_SERVICE_PORT: "80", AUTH_PORT_80_TCP_ADDR: "10.0.0.1" }),
  ).toEqual([]);
});

test("[C4] production refuses every insecure default", () => {
  const problems = problemsOf({ NODE_ENV: "production" });
  expect(problems).toHaveLength(2);
  expect(problems.join()).toMatch(/ALLOWED_ORIGINS.*AUTH_MODE/);
});

test("[C4] production without authentication must be written out", () => {
  expect(problemsOf(production).join()).toContain("AUTH_MODE");
  expect(readConfig({ ...production, AUTH_MODE: "none" }).warnings.join()).toContain("Everybody may edit");
});

test("[C5] each insecure default in development is said in one line", () => {
  expect(readConfig({}).warnings).toHaveLength(2);
  expect(readConfig({ ALLOWED_ORIGINS: "https://a.example", JWT_SECRET: secret }).warnings).toEqual([]);
});

test.for([
  [{}, "none"],
  [{ JWT_SECRET: secret }, "jwt"],
  [{ AUTH_WEBHOOK_URL: "http://backend/authorize", AUTH_WEBHOOK_SECRET: secret }, "webhook"],
  [{ JWT_SECRET: secret, AUTH_WEBHOOK_URL: "http://b/a", AUTH_WEBHOOK_SECRET: secret }, "jwt+webhook"],
] as const)("[C6] the auth mode follows from what is set: %o is %s", ([env, mode]) => {
  expect(readConfig(env).authMode).toBe(mode);
});

test.for([
  [{ AUTH_MODE: "jwt" }, "JWT_SECRET or JWT_PUBLIC_KEY"],
  [{ AUTH_MODE: "webhook" }, "AUTH_WEBHOOK_URL"],
  [{ AUTH_WEBHOOK_URL: "http://b/a" }, "AUTH_WEBHOOK_SECRET"],
  [{ JWT_SECRET: secret, JWT_PUBLIC_KEY: p256 }, "exclude each other"],
  [{ JWT_PUBLIC_KEY: p256, JWT_ALGORITHMS: "ES256,HS256" }, "JWT_ALGORITHMS"],
  [{ JWT_PUBLIC_KEY: p256, JWT_ALGORITHMS: "ES384" }, "such as ES256"],
  [{ JWT_PUBLIC_KEY: "garbage" }, "JWT_PUBLIC_KEY must be a PEM public key"],
  [{ JWT_PUBLIC_KEY: ed25519 }, "JWT_PUBLIC_KEY must be an RSA key"],
  [{ ALLOWED_ORIGINS: "https://app.example.com/" }, "no slash at the end"],
  [{ NODE_ENV: "prod" }, "NODE_ENV must be one of"],
  [{ JWT_SECRET: secret, JWT_ALGORITHMS: "none" }, "JWT_ALGORITHMS"],
  [{ DATABASE_URL: "mysql://db" }, "DATABASE_URL"],
  [{ ROOM_NAME_PATTERN: "[" }, "ROOM_NAME_PATTERN must be a regular expression"],
] as const)("[C6] settings that do not fit together are refused: %o", ([env, problem]) => {
  expect(problemsOf(env).join()).toContain(problem);
});
