/**
 * A program for the tests that npm does not have: the machine's own, or that of Debian's packages, unpacked into a folder of this project and
 * not installed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Binary {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Missing {
  /** Why, in a sentence. */
  readonly missing: string;
}

export interface DebianProgram {
  /** The package, and the name of the program in it. */
  readonly name: string;
  /** Where Debian has it. */
  readonly folder: "usr/bin" | "usr/sbin" | "usr/lib/chromium";
  /** Packages that it does not depend on and is wanted with. */
  readonly extras?: readonly string[];
  /** Prints the version and ends with 0. */
  readonly versionFlag: string;
}

const caches = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

export function findBinary(program: DebianProgram): Binary | Missing {
  const { name, folder } = program;
  // `sbin` is not on everybody's PATH.
  const own = [name, `/${folder}/${name}`].map((path) => ({ path, env: {} }));
  const found = own.find((binary) => works(binary, program)) ?? unpacked(program);
  if (found) return found;
  const trouble = fetch(program);
  const fetched = unpacked(program);
  return fetched ?? { missing: `No ${name} on this machine, and Debian's cannot be fetched: ${trouble}` };
}

function unpacked(program: DebianProgram): Binary | null {
  const cache = join(caches, program.name);
  if (!existsSync(cache)) return null;
  // Older releases have some libraries in the root, and packages keep some in folders that only their installed programs know.
  const folders = readdirSync(cache, { recursive: true, withFileTypes: true })
    .filter((entry) => /\.so(?:\.|$)/.test(entry.name))
    .map(({ parentPath }) => parentPath);
  const env = { LD_LIBRARY_PATH: [...new Set(folders)].join(":") };
  const binary = { path: join(cache, program.folder, program.name), env };
  return works(binary, program) ? binary : null;
}

/**
 * Test files run beside each other: each fetches for itself, and one of them comes first.
 *
 * @returns what went wrong, if the program does not work now
 */
function fetch({ name, extras = [] }: DebianProgram): string {
  mkdirSync(caches, { recursive: true });
  const cache = join(caches, name);
  const draft = mkdtempSync(join(caches, `${name}-draft-`));
  try {
    apt(["download", ...missingPackages([name, ...extras])], draft);
    for (const file of readdirSync(draft).filter((entry) => entry.endsWith(".deb"))) {
      execFileSync("dpkg", ["-x", join(draft, file), draft], { stdio: "ignore" });
      rmSync(join(draft, file));
    }
    if (!existsSync(cache)) renameSync(draft, cache);
    return `what was unpacked into ${cache} does not run`;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** What apt would install: the packages, and the libraries of this release that this machine lacks. */
function missingPackages(names: readonly string[]): string[] {
  const simulation = ["--simulate", "--no-install-recommends", "install", ...names];
  const plan = ((): string => {
    try {
      return apt(simulation);
    } catch {
      // Images of containers come without the lists of packages.
      apt(["update"]);
      return apt(simulation);
    }
  })();
  return [...plan.matchAll(/^Inst (\S+)/gm)].map(([, found = ""]) => found);
}

/** @throws Error with what apt says. */
function apt(parameters: readonly string[], cwd = caches): string {
  const env = { ...process.env, LC_ALL: "C" };
  return execFileSync("apt-get", parameters, { cwd, env, encoding: "utf8", stdio: "pipe" });
}

function works({ path, env }: Binary, { versionFlag }: DebianProgram): boolean {
  try {
    execFileSync(path, [versionFlag], { env: { ...process.env, ...env }, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
