/** A real HAProxy with the configuration that is shipped, on free ports. It never outlives this process. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBinary, type Binary, type Missing } from "./debian-binary.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

const shipped = fileURLToPath(new URL("../../deploy/haproxy.cfg", import.meta.url));

export function findHaproxy(): Binary | Missing {
  return findBinary({ name: "haproxy", folder: "usr/sbin", versionFlag: "-v" });
}

export class HaproxyProcess {
  readonly pid: number;
  /** For clients. */
  readonly url: string;
  /** For the backend. */
  readonly apiUrl: string;
  /** What it has said so far: a line for each connection that has ended, and one for each change of an instance. */
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #folder: string;

  private constructor(
    child: ChildProcess,
    ports: { readonly port: number; readonly apiPort: number },
    folder: string,
  ) {
    this.pid = child.pid ?? 0;
    this.url = `http://127.0.0.1:${ports.port}`;
    this.apiUrl = `http://127.0.0.1:${ports.apiPort}`;
    this.#child = child;
    this.#folder = folder;
    this.#ended = once(child, "exit");
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    const killNow = (): void => void child.kill("SIGKILL");
    process.once("exit", killNow);
    child.once("exit", () => process.off("exit", killNow));
  }

  /** In front of the servers on these ports: each has the lines that the file has for its second. */
  static async start(
    binary: Binary,
    servers: readonly number[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<HaproxyProcess> {
    const ports = { port: await freePort(), apiPort: await freePort() };
    const folder = mkdtempSync(join(tmpdir(), "righttask-haproxy-"));
    const path = join(folder, "haproxy.cfg");
    writeFileSync(path, configurationFor(servers.length));
    const child = spawn(binary.path, ["-f", path], {
      env: {
        ...binary.env,
        ...Object.fromEntries(servers.map((server, i) => [`COLLAB_${i + 1}`, `127.0.0.1:${server}`])),
        LISTEN: `127.0.0.1:${ports.port}`,
        API_LISTEN: `127.0.0.1:${ports.apiPort}`,
        // What every machine has descriptors for.
        MAXCONN: "400",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const proxy = new HaproxyProcess(child, ports, folder);
    await until("HAProxy listens", async () => {
      if (child.exitCode !== null) throw new Error(`HAProxy ended with ${child.exitCode}:\n${proxy.output}`);
      // Not at the port for clients: a connection that is kept would count as one of theirs.
      return proxy.isUp(1).catch(() => false);
    });
    return proxy;
  }

  /** Its lines about clients that reached no instance, or whom the last one that was tried turned away for now. */
  get failures(): string[] {
    return this.output.split("\n").filter((line) => / clients \S+ \S+ (?:50\d|-1) /.test(line));
  }

  /** The URL of a room, as a page makes it. */
  roomUrl(name: string): string {
    return `${this.url}/rooms/${encodeURIComponent(name)}`;
  }

  /** Whether people are sent to this instance, counted from 1. */
  async isUp(instance: number): Promise<boolean> {
    const csv = await (await fetch(`${this.apiUrl}/haproxy;csv`)).text();
    const row = csv.split("\n").find((line) => line.startsWith(`rooms,collab-${instance},`));
    if (row === undefined) throw new Error(`No collab-${instance} in\n${csv}`);
    // `UP 1/2` is on its way down, and still gets people.
    return row.split(",").some((field) => field.startsWith("UP"));
  }

  async untilUp(instance: number): Promise<void> {
    await until(`instance ${instance} up`, () => this.isUp(instance), { timeoutMs: 20_000 });
  }

  async untilDown(instance: number): Promise<void> {
    await until(`instance ${instance} down`, async () => !(await this.isUp(instance)), {
      timeoutMs: 20_000,
    });
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As it is for two; else with more lines or fewer, as the file says. */
function configurationFor(servers: number): string {
  const lines = Array.from({ length: servers - 1 }, (_, i) => i + 2);
  return readFileSync(shipped, "utf8").replaceAll(/^.*"\$\{COLLAB_2\}".*$/gm, (line) =>
    lines.map((n) => line.replaceAll(/(collab-|COLLAB_)2/g, `$1${n}`)).join("\n"),
  );
}
