/** Dockerfile, docker-compose.yml and fly.toml, compared with the code that they deploy. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import picomatch from "picomatch";
import { parse as parseToml } from "smol-toml";
import { expect, onTestFinished, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { readConfig, type Environment } from "../lib/config.ts";
import { options } from "../lib/options.ts";
import manifest from "../package.json" with { type: "json" };
import { ConnectionRequest } from "../transport/connection-request.ts";
import { startBackend } from "./support/backend.ts";
import { startComposition } from "./support/composition.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const backendDockerfile = "examples/backend/Dockerfile";

/** What an operator has in the shell. */
const sampleEnvironment: Readonly<Record<string, string>> = {
  ALLOWED_ORIGINS: "https://app.example.com",
  JWT_SECRET: "sample-jwt-secret-0123456789abcdef",
  AUTH_WEBHOOK_SECRET: "sample-webhook-secret-0123456789ab",
  ADMIN_TOKEN: "sample-admin-token-0123456789abcdef",
  SCALE_PASSWORD: "0123456789abcdef",
};

// Dockerfile

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

function parseDockerfile(text: string): Instruction[] {
  const lines = text.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n/g, " ");
  return [...lines.matchAll(/^([A-Z]+)\s+(.+)$/gm)].map(([, name = "", rest = ""]) => ({ name, rest }));
}

/** The instructions of the image that runs; the stages before it only build. */
function lastStage(text: string): Instruction[] {
  const instructions = parseDockerfile(text);
  return instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));
}

const image = lastStage(read("Dockerfile"));

function one(name: string): string {
  const [found, ...more] = image.filter((instruction) => instruction.name === name);
  if (!found || more.length > 0) throw new Error(`The Dockerfile's image wants exactly one ${name}`);
  return found.rest;
}

const exec = (json: string): string[] => z.array(z.string()).parse(JSON.parse(json));
const imageEnv = Object.fromEntries(
  image
    .filter(({ name }) => name === "ENV")
    .map(({ rest }) => [rest.slice(0, rest.indexOf("=")), rest.slice(rest.indexOf("=") + 1)]),
);
/** Paths from the build's folder; not those of another stage. */
const copied = image
  .filter(({ name, rest }) => name === "COPY" && !rest.startsWith("--from"))
  .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));

// docker-compose.yml

const service = z.object({
  build: z.unknown().optional(),
  image: z.string().optional(),
  command: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }),
  networks: z
    .union([z.array(z.string()), z.record(z.string(), z.object({ aliases: z.array(z.string()) }))])
    .default(["default"]),
  stop_grace_period: z.string().optional(),
  ulimits: z.object({ nofile: z.number() }).optional(),
});
const compose = z
  .object({
    services: z.object({
      server: service,
      backend: service,
      haproxy: service,
      "collab-1": service,
      "collab-2": service,
      redis: service,
      postgres: service,
    }),
    volumes: z.looseObject({}),
    networks: z.record(z.string(), z.object({ internal: z.boolean() })),
  })
  .parse(parseYaml(read("docker-compose.yml"), { merge: true }));
const { server, backend, haproxy, redis, postgres } = compose.services;
const instances = [compose.services["collab-1"], compose.services["collab-2"]] as const;

/** Compose's `${NAME}`, `${NAME:-instead}` and `${NAME:?what to set}`, against the operator's environment. */
function interpolate(text: string): string {
  return text.replaceAll(/(?<!\$)\$\{(\w+)(?::[-?][^}]*)?\}/g, (_, name: string) => {
    const value = sampleEnvironment[name];
    if (value === undefined) throw new Error(`docker-compose.yml wants ${name} from the operator`);
    return value;
  });
}

const interpolateAll = (environment: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, interpolate(text)]));
const composeEnv = interpolateAll(server.environment);
const instanceEnv = interpolateAll(instances[0].environment);

// fly.toml

const fly = z
  .object({
    kill_signal: z.string(),
    kill_timeout: z.union([z.number(), z.string()]),
    // Fly refuses numbers here.
    env: z.record(z.string(), z.string()),
    mounts: z.object({ destination: z.string() }),
    http_service: z.object({
      internal_port: z.number(),
      concurrency: z.object({ type: z.string(), soft_limit: z.number(), hard_limit: z.number() }),
      checks: z.array(z.object({ path: z.string() })).min(1),
    }),
  })
  .parse(parseToml(read("fly.toml")));

/** The names after `fly secrets set` in the comment at the top. */
const flySecrets = [
  ...(/fly secrets set (.+?)(?: {2,}|$)/m.exec(read("fly.toml"))?.[1] ?? "").matchAll(/(\w+)=/g),
].map(([, name = ""]) => name);

// What each of them runs the server with

const deployments: Readonly<Record<string, Environment>> = {
  "docker-compose.yml": { ...imageEnv, ...composeEnv },
  "docker-compose.yml, scale": { ...imageEnv, ...instanceEnv },
  "fly.toml": {
    ...imageEnv,
    ...fly.env,
    ...Object.fromEntries(flySecrets.map((name) => [name, sampleEnvironment[name]])),
  },
};
const each = Object.entries(deployments);

/** `30`, `"30s"`, `"1m30s"` in seconds. */
function seconds(duration: number | string): number {
  if (typeof duration === "number") return duration;
  const [, minutes = "0", rest = "0"] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration) ?? [];
  return Number(minutes) * 60 + Number(rest);
}

const sqlitePath = (databaseUrl: string): string =>
  posix.resolve(one("WORKDIR"), databaseUrl.replace(/^sqlite:/, ""));

test.for(each)("[C7] %s: sets only variables that the option table has", ([, env]) => {
  const known = new Set<string>(Object.values(options).map(({ name }) => name));
  expect(Object.keys(env).filter((name) => !known.has(name))).toEqual([]);
});

test.for(each)("[C7] %s: is a production configuration without insecure defaults", ([, env]) => {
  expect(readConfig(env)).toMatchObject({ production: true, authMode: "jwt+webhook", warnings: [] });
});

test("[C7] Dockerfile: refuses insecure defaults", () => {
  expect(imageEnv).toEqual({ NODE_ENV: "production" });
  expect(() => readConfig(imageEnv)).toThrow("ALLOWED_ORIGINS must be set");
});

test("[C7] the port is the same everywhere", () => {
  const [composeHost, composeContainer] = (server.ports[0] ?? "").split(":").map(Number);
  const ports = {
    expose: Number(one("EXPOSE")),
    composeHost,
    composeContainer,
    fly: fly.http_service.internal_port,
    ...Object.fromEntries(each.map(([file, env]) => [file, readConfig(env).port])),
  };
  const port = Number(options.port.fallback);
  expect(ports).toEqual(Object.fromEntries(Object.keys(ports).map((name) => [name, port])));
});

test.for([
  ["fly.toml: kill_timeout", seconds(fly.kill_timeout), deployments["fly.toml"]],
  [
    "docker-compose.yml: stop_grace_period",
    seconds(server.stop_grace_period ?? "10s"),
    deployments["docker-compose.yml"],
  ],
  [
    "docker-compose.yml, scale: stop_grace_period",
    seconds(instances[0].stop_grace_period ?? "10s"),
    deployments["docker-compose.yml, scale"],
  ],
] as const)("[C7] %s is above SHUTDOWN_SECONDS", ([, patience, env]) => {
  expect(patience).toBeGreaterThan(readConfig(env).shutdownSeconds);
});

test("[C7] fly.toml: stops with a signal that the server takes as a wish to stop", () => {
  expect(fly.kill_signal).toBe("SIGTERM");
});

/** The commands of the health checks, `node -e <script>`. */
const probes = {
  Dockerfile: exec(one("HEALTHCHECK").replace(/^.*?CMD /, "")),
  "docker-compose.yml": server.healthcheck.test.slice(1),
};

/** Runs a health check's command on this machine, against that port. */
async function runProbe([, ...args]: readonly string[], port: number | string): Promise<void> {
  await promisify(execFile)(process.execPath, args, { env: { PORT: String(port) } });
}

function pathIn(probe: readonly string[]): string | undefined {
  return /'(\/\w+)'/.exec(probe.join(" "))?.[1];
}

test.for(Object.entries(probes))(
  "[C7] %s: the health check passes while the server works, and fails when it is gone or says 503",
  async ([, probe]) => {
    const composition = await startComposition();
    await runProbe(probe, composition.port);
    await composition.stop();
    await expect(runProbe(probe, composition.port)).rejects.toMatchObject({ code: 1 });
    const broken = createServer((_, response) => response.writeHead(503).end()).listen(0, "127.0.0.1");
    onTestFinished(() => void broken.close());
    await once(broken, "listening");
    const { port } = broken.address() as AddressInfo;
    await expect(runProbe(probe, port)).rejects.toMatchObject({ code: 1 });
  },
);

test("[C7] the health checks ask for routes that the server has: alive in the image, ready elsewhere", async () => {
  const paths = [...Object.values(probes).map(pathIn), ...fly.http_service.checks.map(({ path }) => path)];
  expect(paths).toEqual(["/healthz", "/readyz", "/readyz"]);
  const { url } = await startComposition();
  const answers = await Promise.all(paths.map((path) => fetch(`${url.replace("ws", "http")}${path}`)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test("[C7] fly.toml: the limit of connections is MAX_CONNECTIONS, with a softer one below", () => {
  const { type, soft_limit, hard_limit } = fly.http_service.concurrency;
  expect(type).toBe("connections");
  expect(hard_limit).toBe(readConfig(deployments["fly.toml"]).maxConnections);
  expect(soft_limit).toBeLessThan(hard_limit);
});

test.for([
  ["docker-compose.yml", server],
  ["docker-compose.yml, scale", instances[0]],
] as const)(
  "[C7] %s: file descriptors for MAX_CONNECTIONS, and a thousand for all else",
  ([file, { ulimits }]) => {
    expect(ulimits?.nofile).toBeGreaterThanOrEqual(readConfig(deployments[file] ?? {}).maxConnections + 1000);
  },
);

test("[C7] the database lies on the volume", () => {
  const [source = "", target] = (server.volumes[0] ?? "").split(":");
  expect(Object.keys(compose.volumes)).toContain(source);
  expect({
    image: dirname(sqlitePath(options.databaseUrl.fallback)),
    compose: dirname(sqlitePath(server.environment["DATABASE_URL"] ?? "")),
    fly: dirname(sqlitePath(fly.env["DATABASE_URL"] ?? "")),
  }).toEqual({ image: one("VOLUME"), compose: target, fly: fly.mounts.destination });
});

test("[C7] fly.toml: TRUST_PROXY finds the address that Fly's proxy saw, whatever the client claims", () => {
  const request = {
    headers: { "x-forwarded-for": "6.6.6.6, 203.0.113.7, 198.51.100.1" },
    socket: { remoteAddress: "172.16.0.1" },
  } as unknown as IncomingMessage;
  const { trustProxy } = readConfig(deployments["fly.toml"]);
  expect(new ConnectionRequest(request, { trustProxy }).ip).toBe("203.0.113.7");
});

// What goes into the image

/** Files that the entry points import, directly or not, as paths from the root; and the packages among their imports. */
function importedFrom(entries: readonly string[]): { files: Set<string>; packages: Set<string> } {
  const files = new Set(entries);
  const packages = new Set<string>();
  // A set's iteration reaches what is added on the way.
  for (const file of files) {
    if (!file.endsWith(".ts")) continue;
    const code = read(file);
    const specifiers = /(?:\bfrom|^import|\bnew URL\() ?"([^"]+)"/gm;
    for (const [, specifier = ""] of code.matchAll(specifiers)) {
      if (specifier.startsWith(".")) files.add(posix.join(posix.dirname(file), specifier));
      else if (!specifier.startsWith("node:"))
        packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier);
    }
  }
  return { files, packages };
}

const commands = ["backup", "restore", "doctor", "import", "export"].map((name) => `commands/${name}.ts`);
const { files, packages } = importedFrom(["server.ts", "storage/storage-worker.ts", ...commands]);

test("[C7] Dockerfile: copies everything that the server and the commands import, and nothing else", () => {
  // That the walk walks: a worker is started by its URL, and package.json is imported too.
  expect([...files]).toEqual(
    expect.arrayContaining(["package.json", "lib/options.ts", "storage/sqlite-store.ts"]),
  );
  expect(new Set(copied)).toEqual(new Set([...files].map((file) => file.split("/", 1)[0])));
  expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("[C7] Dockerfile: installs every package that the server imports, which is none for development only", () => {
  expect([...packages].filter((name) => !Object.hasOwn(manifest.dependencies, name))).toEqual([]);
});

test("[C7] .dockerignore: lets through what the two images are made of, and no secrets or rooms", () => {
  const rules = read(".dockerignore")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"));
  // As Docker does: the last rule that matches the path or a folder above it decides.
  const isSent = (path: string): boolean => {
    const last = rules.findLast((rule) => {
      const glob = rule.replace("!", "");
      return picomatch.isMatch(path, [glob, `${glob}/**`], { dot: true });
    });
    return last?.startsWith("!") ?? true;
  };
  const wanted = ["Dockerfile", backendDockerfile]
    .flatMap((path) => parseDockerfile(read(path)))
    .filter(({ name, rest }) => name === "COPY" && !rest.startsWith("--from"))
    .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));
  expect([...wanted, ...files].filter((path) => !isSent(path))).toEqual([]);
  const unwanted = [".env", ".git/config", "data/collab.sqlite", "node_modules/ws/index.js"];
  expect([...unwanted, "examples/backend/dist/main.js"].filter(isSent)).toEqual([]);
});

test("[C7] Dockerfile: runs the server itself, as a user without rights, on the pinned Node", () => {
  expect(exec(one("CMD"))).toEqual(["node", "server.ts"]);
  expect(one("USER")).toBe("node");
  const froms = parseDockerfile(read("Dockerfile")).filter(({ name }) => name === "FROM");
  const major = /\d+/.exec(manifest.devDependencies.node)?.[0];
  expect(froms.map(({ rest }) => rest.split(" ")[0])).toEqual([`node:${major}-slim`, `node:${major}-slim`]);
});

// The example backend beside it

test("[C7] docker-compose.yml: AUTH_WEBHOOK_URL is a route of the backend in it, on its port", async () => {
  const { hostname, port, pathname } = new URL(server.environment["AUTH_WEBHOOK_URL"] ?? "");
  expect(compose.services).toHaveProperty(hostname, backend);
  const [, containerPort] = (backend.ports[0] ?? "").split(":");
  expect(backend.build).toEqual({ context: ".", dockerfile: backendDockerfile });
  const exposed = lastStage(read(backendDockerfile)).find(({ name }) => name === "EXPOSE")?.rest;
  expect([containerPort, exposed]).toEqual([port, port]);
  const { url } = await startBackend();
  const call = (path: string) => fetch(`${url}${path}`, { method: "POST" });
  // Unsigned: known, and refused for that.
  expect((await call(pathname)).status).toBe(400);
  expect((await call(new URL(fly.env["AUTH_WEBHOOK_URL"] ?? "").pathname)).status).toBe(400);
  expect((await call(`${pathname}-not`)).status).toBe(404);
  await runProbe(backend.healthcheck.test.slice(1), new URL(url).port);
});

test("[C7] docker-compose.yml: backend and server hold the same keys, and the server waits for it", () => {
  for (const name of ["JWT_SECRET", "AUTH_WEBHOOK_SECRET"]) {
    expect(interpolate(backend.environment[name] ?? "")).toBe(composeEnv[name]);
    // From the operator, never written in the file.
    expect(composeEnv[name]).toBe(sampleEnvironment[name]);
  }
  expect(server.depends_on["backend"]?.condition).toBe("service_healthy");
});

// The profile for several instances

test("[C7] docker-compose.yml, scale: what only several instances need is started only where it is asked for", () => {
  const profiles = Object.entries(compose.services).map(([name, { profiles: list }]) => [name, list.join()]);
  expect(Object.fromEntries(profiles)).toEqual({
    server: "",
    backend: "",
    ...Object.fromEntries(
      ["haproxy", "collab-1", "collab-2", "redis", "postgres"].map((name) => [name, "scale"]),
    ),
  });
  // Naming it starts the others.
  expect(Object.keys(haproxy.depends_on)).toEqual(["collab-1", "collab-2"]);
  for (const { depends_on } of instances)
    expect(Object.keys(depends_on)).toEqual(["backend", "redis", "postgres"]);
});

test("[C7] docker-compose.yml, scale: the instances are alike, with one Postgres and one Redis that are in it, behind one proxy", () => {
  expect(instances[1]).toEqual(instances[0]);
  const config = readConfig({ ...imageEnv, ...instanceEnv });
  expect(config.trustProxy).toBe(1);
  const { databaseUrl, redisUrl } = config;
  const [database, bus] = [new URL(databaseUrl), new URL(redisUrl ?? "")];
  const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = interpolateAll(postgres.environment);
  expect(database).toMatchObject({
    hostname: "postgres",
    username: POSTGRES_USER,
    password: POSTGRES_PASSWORD,
  });
  expect(database.pathname).toBe(`/${POSTGRES_DB}`);
  expect(bus).toMatchObject({
    hostname: "redis",
    password: interpolateAll(redis.environment)["SCALE_PASSWORD"],
  });
  expect(redis.command.join(" ")).toMatch(/--requirepass "\$\$\{SCALE_PASSWORD:\?/);
  // Neither is reached from anywhere else.
  for (const { networks, ports } of [redis, postgres])
    expect([networks, ports, compose.networks["between"]]).toEqual([["between"], [], { internal: true }]);
  for (const { networks, ports } of instances)
    expect([networks, ports]).toEqual([["default", "between"], []]);
});

test("[C7] docker-compose.yml, scale: HAProxy has the shipped configuration and both instances, and takes the place of the single server", () => {
  const [source = "", target] = (haproxy.volumes[0] ?? "").split(":");
  expect([posix.normalize(source), target]).toEqual([
    "deploy/haproxy.cfg",
    "/usr/local/etc/haproxy/haproxy.cfg",
  ]);
  const port = options.port.fallback;
  const { COLLAB_1, COLLAB_2, LISTEN, API_LISTEN } = haproxy.environment;
  expect([COLLAB_1, COLLAB_2]).toEqual([`collab-1:${port}`, `collab-2:${port}`]);
  // The same port outside, and inside the same name and port for the backend.
  expect(haproxy.ports).toEqual([`${port}${LISTEN}`]);
  expect(server.ports).toEqual([`${port}:${port}`]);
  const { hostname, port: backendsPort } = new URL(backend.environment["COLLAB_URL"] ?? "");
  expect([backendsPort, `:${backendsPort}`]).toEqual([port, API_LISTEN]);
  for (const { networks } of [server, haproxy])
    expect(networks).toEqual({ default: { aliases: [hostname] } });
});

test("[C7] deploy/haproxy.cfg: descriptors and places for all instances, and patience above the heartbeat's", () => {
  const cfg = read("deploy/haproxy.cfg");
  const fallbackOf = (name: string): number => Number(new RegExp(`\\{${name}-(\\d+)\\}`).exec(cfg)?.[1]);
  const { maxConnections, maxConnectionsPerIp } = readConfig({ ...imageEnv, ...instanceEnv });
  expect(fallbackOf("MAXCONN")).toBeGreaterThan(2 * maxConnections);
  expect(fallbackOf("MAX_CONNECTIONS_PER_IP")).toBe(maxConnectionsPerIp);
  expect(haproxy.ulimits?.nofile).toBeGreaterThan(2 * fallbackOf("MAXCONN"));
  // T7: the server itself waits for up to a minute.
  expect(Number(/timeout tunnel (\d+)s/.exec(cfg)?.[1])).toBeGreaterThan(60);
});

test("[C7] deploy/fly-haproxy.toml: sets what deploy/haproxy.cfg reads, and lets clients in only at its port for them", () => {
  const { env, http_service, ...app } = z
    .object({
      env: z.record(z.string(), z.string()),
      files: z.array(z.object({ guest_path: z.string(), local_path: z.string() })),
      http_service: z.object({
        internal_port: z.number(),
        concurrency: z.object({ hard_limit: z.number() }),
        checks: z.array(z.object({ path: z.string() })),
      }),
    })
    .parse(parseToml(read("deploy/fly-haproxy.toml")));
  const cfg = read("deploy/haproxy.cfg");
  const known = new Set([...cfg.matchAll(/\$\{(\w+)/g)].map(([, name]) => name));
  expect(Object.keys(env).filter((name) => !known.has(name))).toEqual([]);
  expect(app.files.map(({ local_path }) => existsSync(join(root, "deploy", local_path)))).toEqual([true]);
  expect(`:${http_service.internal_port}`).toBe(/\{LISTEN-(:\d+)\}/.exec(cfg)?.[1]);
  expect(env["API_LISTEN"]).not.toContain(`:${http_service.internal_port}`);
  expect(http_service.concurrency.hard_limit).toBe(Number(env["MAXCONN"]));
  expect(http_service.checks.map(({ path }) => path)).toEqual([/monitor-uri (\S+)/.exec(cfg)?.[1]]);
});
