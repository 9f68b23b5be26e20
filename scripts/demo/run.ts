/**
 * `npm run demo`: the backend, the collaboration server and the app, set up for each other. One address; Ctrl-C stops all of it.
 *
 *   FRONTEND_PORT (5173), BACKEND_PORT (3000), COLLAB_PORT (4000), DEMO_DATA (data/demo), DEMO_BUILD (1; 0 takes what was built)
 */
import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildExamples } from "./build.ts";
import { DemoProcess } from "./demo-process.ts";
import { addFirstTasks } from "./first-tasks.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const data = resolve(root, process.env["DEMO_DATA"] ?? "data/demo");
const ports = {
  backend: Number(process.env["BACKEND_PORT"] ?? 3000),
  collab: Number(process.env["COLLAB_PORT"] ?? 4000),
  frontend: Number(process.env["FRONTEND_PORT"] ?? 5173),
};
const backend = `http://127.0.0.1:${ports.backend}`;
const collab = `http://127.0.0.1:${ports.collab}`;
const app = `http://localhost:${ports.frontend}`;

const processes: DemoProcess[] = [];
let isStopping = false;

// SIGHUP: the terminal's window is closed. The servers are not in its group, and would keep their ports.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));
try {
  for (const [name, port] of Object.entries(ports)) await assertFree(name, port);
  if (process.env["DEMO_BUILD"] !== "0") {
    console.log("Building ...");
    await buildExamples();
  }
  if (!isStopping) await start();
} catch (error) {
  if (!isStopping) console.error((error as Error).message);
  await stop(1);
}

async function start(): Promise<void> {
  // Both servers' own development values for the rest; the order's key is new each time.
  const adminToken = randomUUID();
  const secret = "dev-secret-change-me-0123456789abcdef";
  processes.push(
    child("backend", {
      cwd: join(root, "examples/backend"),
      parameters: ["dist/main.js"],
      env: {
        PORT: `${ports.backend}`,
        HOST: "127.0.0.1",
        JWT_SECRET: secret,
        AUTH_WEBHOOK_SECRET: secret,
        COLLAB_URL: collab,
        COLLAB_ADMIN_TOKEN: adminToken,
      },
      healthUrl: `${backend}/healthz`,
    }),
    child("collab", {
      cwd: root,
      parameters: ["server.ts"],
      env: {
        PORT: `${ports.collab}`,
        HOST: "127.0.0.1",
        LOG_FORMAT: "pretty",
        DATABASE_URL: `sqlite:${join(data, "collab.sqlite")}`,
        AUTH_WEBHOOK_URL: `${backend}/collab/authorize`,
        AUTH_WEBHOOK_SECRET: secret,
        ADMIN_TOKEN: adminToken,
        ALLOWED_ORIGINS: `${app},http://127.0.0.1:${ports.frontend}`,
        // The app's server is the one proxy in front.
        TRUST_PROXY: "1",
      },
      healthUrl: `${collab}/readyz`,
    }),
    child("frontend", {
      cwd: join(root, "examples/frontend"),
      parameters: [join(root, "node_modules/vite/bin/vite.js"), "preview"],
      env: { PORT: `${ports.frontend}`, BACKEND_URL: backend, COLLAB_URL: collab },
      healthUrl: app,
    }),
  );
  await Promise.all(processes.map((started) => started.ready()));
  await addFirstTasks({ backend, collab });
  console.log(`
  RightTask is ready:  ${app}

  Open it in two windows as two people. Ctrl-C stops everything.
  Logs and rooms: ${data}
`);
}

type Part = Omit<ConstructorParameters<typeof DemoProcess>[0], "name" | "logFile" | "onFailed">;

function child(name: string, part: Part): DemoProcess {
  return new DemoProcess({
    ...part,
    name,
    logFile: join(data, `${name}.log`),
    onFailed: (log) => {
      console.error(`The ${name} has ended:\n${log}`);
      void stop(1);
    },
  });
}

async function assertFree(name: string, port: number): Promise<void> {
  const probe = createServer();
  await new Promise<void>((free, taken) => {
    probe.once("error", () =>
      taken(new Error(`Port ${port} is in use: stop what listens there, or set ${name.toUpperCase()}_PORT`)),
    );
    // Vite listens on the first address of this name, where another Vite may be; the servers are asked for at 127.0.0.1.
    probe.listen(port, name === "frontend" ? "localhost" : "127.0.0.1", free);
  });
  await new Promise((closed) => probe.close(closed));
}

async function stop(code: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await Promise.all(processes.map((started) => started.stop()));
  // A build, or a start, that is still on its way.
  process.exit(code);
}
