/**
 * RightTask as its users have it: the backend, the collaboration server and the app as processes, and people in a real browser.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, onTestFinished, vi } from "vitest";
import { startBackend, type Backend } from "./backend.ts";
import { findChromium } from "./chromium-binary.ts";
import { inherited } from "./inherited.ts";
import { Person } from "./person.ts";
import { adminToken } from "./room-api.ts";
import { startProcess, type ServerProcess } from "./server-process.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { tempDatabase } from "./temp-dir.ts";

const frontend = fileURLToPath(new URL("../../examples/frontend/", import.meta.url));
const vite = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));

let browser: Browser;

/** For the tests of a file: one Chromium, where each person has a profile of their own. */
export function useBrowser(): void {
  // Three servers and two browsers for each test, and a machine that does other things beside.
  vi.setConfig({ testTimeout: 180_000 });
  beforeAll(async () => {
    const { path, env } = findChromium();
    browser = await chromium.launch({
      executablePath: path,
      env: { ...process.env, ...env },
      // Chromium's sandbox wants an installed helper, and no root; the only pages here are our own.
      args: ["--no-sandbox"],
    });
  });
  afterAll(() => browser.close());
}

export class App {
  readonly url: string;
  readonly backend: Backend;
  readonly databaseUrl: string;
  server: ServerProcess;
  readonly #serverEnv: Readonly<Record<string, string>>;
  /** The server's address that stays, over restarts too. */
  readonly #door: TcpProxy;

  constructor(parts: {
    url: string;
    backend: Backend;
    server: ServerProcess;
    serverEnv: Readonly<Record<string, string>>;
    databaseUrl: string;
    door: TcpProxy;
  }) {
    this.url = parts.url;
    this.backend = parts.backend;
    this.server = parts.server;
    this.databaseUrl = parts.databaseUrl;
    this.#serverEnv = parts.serverEnv;
    this.#door = parts.door;
  }

  person(name: string, options?: BrowserContextOptions): Promise<Person> {
    return startPerson(name, this.url, options);
  }

  async killServer(): Promise<void> {
    await this.server.ended("SIGKILL");
  }

  /** The same server again: its address, its rooms. */
  async startServer(): Promise<void> {
    this.server = await startProcess(this.#serverEnv);
    this.#door.target = this.server.port;
  }
}

/** Somebody in a browser of their own, logged in and in the first board. */
export async function startPerson(
  name: string,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Person> {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "UTC", ...options });
  onTestFinished(() => context.close());
  const person = new Person({ name, page: await context.newPage() });
  await person.page.goto(url);
  await person.page.getByRole("button", { name }).click();
  return person;
}

export async function startApp({
  backend: backendEnv = {},
  server: settings = {},
}: {
  readonly backend?: Readonly<Record<string, string>>;
  readonly server?: Readonly<Record<string, string>>;
} = {}): Promise<App> {
  const database = tempDatabase();
  // Each has to know the other's address before it starts.
  const door = await TcpProxy.to(0);
  onTestFinished(() => door.close());
  const collab = `http://127.0.0.1:${door.port}`;
  const backend = await startBackend({ COLLAB_URL: collab, COLLAB_ADMIN_TOKEN: adminToken, ...backendEnv });
  const serverEnv = {
    DATABASE_URL: database.url,
    ADMIN_TOKEN: adminToken,
    TRUST_PROXY: "1",
    ...backend.serverEnv,
    ...settings,
  };
  const [server, url] = await Promise.all([
    startProcess(serverEnv),
    startFrontend({ BACKEND_URL: backend.url, COLLAB_URL: collab }),
  ]);
  door.target = server.port;
  return new App({ url, backend, server, serverEnv, databaseUrl: database.url, door });
}

/** The production build, which `test/support/global-setup.ts` has made. */
async function startFrontend(env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [vite, "preview"], {
    cwd: frontend,
    env: { ...inherited, PORT: "0", NO_COLOR: "1", ...env },
    // It says of each connection that breaks that it broke; here they are broken on purpose.
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /Local:\s+(\S+)/.exec(line)?.[1];
    if (url) {
      child.stdout.resume();
      return url;
    }
  }
  throw new Error("The frontend ended before it listened");
}
