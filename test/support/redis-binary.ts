/**
 * A `redis-server`: the machine's own, or that of Debian's packages, unpacked into a folder of this project and not installed. Null where there
 * is neither.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface RedisBinary {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

const cache = fileURLToPath(new URL("../../node_modules/.cache/redis-server/", import.meta.url));

/** With what `redis-server` is linked to in Debian 12 and 13; what a release does not have, it does not need. */
const packages = [
  "redis-server",
  "redis-tools",
  "libjemalloc2",
  "liblua5.1-0",
  "lua-cjson",
  "lua-bitop",
  "liblzf1",
  "libatomic1",
  "libhiredis0.14",
];

export function findRedis(): RedisBinary | null {
  return works({ path: "redis-server", env: {} }) ?? unpacked() ?? (fetched() ? unpacked() : null);
}

function unpacked(): RedisBinary | null {
  const libraries = join(cache, "usr", "lib");
  if (!existsSync(libraries)) return null;
  const folders = readdirSync(libraries, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(libraries, name));
  const path = join(cache, "usr", "bin", "redis-server");
  return works({ path, env: { LD_LIBRARY_PATH: folders.join(":") } });
}

/** Test files run beside each other: each fetches for itself, and one of them comes first. */
function fetched(): boolean {
  const parent = join(cache, "..");
  mkdirSync(parent, { recursive: true });
  const draft = mkdtempSync(join(parent, "redis-draft-"));
  try {
    // Images of containers come without the lists of packages.
    if (!succeeds("apt-get", ["download", "redis-server"], draft)) succeeds("apt-get", ["update"], draft);
    // One that cannot be had is found out below, by running it.
    for (const name of packages) succeeds("apt-get", ["download", name], draft);
    const files = readdirSync(draft).filter((name) => name.endsWith(".deb"));
    for (const file of files) {
      execFileSync("dpkg", ["-x", join(draft, file), draft], { stdio: "ignore" });
      rmSync(join(draft, file));
    }
    if (!existsSync(cache)) renameSync(draft, cache);
    return files.length > 0;
  } catch {
    return existsSync(cache);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function succeeds(command: string, parameters: readonly string[], cwd: string): boolean {
  try {
    execFileSync(command, parameters, { cwd, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function works(binary: RedisBinary): RedisBinary | null {
  try {
    execFileSync(binary.path, ["--version"], { env: { ...process.env, ...binary.env }, stdio: "ignore" });
    return binary;
  } catch {
    return null;
  }
}
