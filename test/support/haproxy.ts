/** A real HAProxy with the configuration that is shipped, in front of two servers of a test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { findBinary, type Binary } from "./debian-binary.ts";
import { describeWithBinary } from "./describe-with-binary.ts";
import { freePort } from "./free-port.ts";
import { tempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

const shipped = fileURLToPath(new URL("../../deploy/haproxy.cfg", import.meta.url));

/** Around the tests of a file that need one. */
export function describeWithHaproxy(name: string, tests: (binary: Binary) => void): void {
  describeWithBinary(findBinary({ name: "haproxy", folder: "usr/sbin", versionFlag: "-v" }), name, tests);
}

export class Haproxy {
  /** For clients. */
  readonly url: string;
  /** For the backend. */
  readonly apiUrl: string;
  /** What it has said so far: a line for each connection that has ended, and one for each change of an instance. */
  output = "";

  constructor({ port, apiPort }: { readonly port: number; readonly apiPort: number }) {
    this.url = `http://127.0.0.1:${port}`;
    this.apiUrl = `http://127.0.0.1:${apiPort}`;
  }

  /** Its lines about clients that reached no instance, or whom the last one that was tried turned away for now. */
  get failures(): string[] {
    return this.output.split("\n").filter((line) => / clients \S+ \S+ (?:50\d|-1) /.test(line));
  }

  /** The URL of a room, as a page makes it. */
  roomUrl(name: string): string {
    return `${this.url}/rooms/${encodeURIComponent(name)}`;
  }

  /** Whether people are sent to this instance, 1 or 2. */
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
}

/**
 * Starts one in front of the servers on these ports, which is ended with the test. Those beyond the second get lines of their own, as the
 * file says.
 */
export async function startHaproxy(
  binary: Binary,
  servers: readonly number[],
  env: Readonly<Record<string, string>> = {},
): Promise<Haproxy> {
  const [port, apiPort] = [await freePort(), await freePort()];
  const child = spawn(binary.path, ["-f", configurationFor(servers.length)], {
    env: {
      ...binary.env,
      ...Object.fromEntries(servers.map((server, i) => [`COLLAB_${i + 1}`, `127.0.0.1:${server}`])),
      LISTEN: `127.0.0.1:${port}`,
      API_LISTEN: `127.0.0.1:${apiPort}`,
      // What every machine has descriptors for.
      MAXCONN: "400",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const proxy = new Haproxy({ port, apiPort });
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (proxy.output += text));
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await until("HAProxy listens", async () => {
    if (child.exitCode !== null) throw new Error(`HAProxy ended with ${child.exitCode}:\n${proxy.output}`);
    // Not at the port for clients: a connection that is kept would count as one of theirs.
    return proxy.isUp(1).catch(() => false);
  });
  return proxy;
}

function configurationFor(servers: number): string {
  if (servers === 2) return shipped;
  const further = Array.from({ length: servers - 2 }, (_, i) => i + 3);
  const text = readFileSync(shipped, "utf8").replaceAll(/^.*"\$\{COLLAB_2\}".*$/gm, (line) =>
    [line, ...further.map((n) => line.replaceAll(/(collab-|COLLAB_)2/g, `$1${n}`))].join("\n"),
  );
  const path = join(tempDir(), "haproxy.cfg");
  writeFileSync(path, text);
  return path;
}
