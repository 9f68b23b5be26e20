/**
 * Runs before `npm start`, `npm test` and the other scripts that need packages, so that a fresh clone needs no third command.
 *
 * Plain JavaScript without imports of ours or of packages: it runs on whatever Node (20 and up) the machine has, before
 * the pinned one is there. npm starts the main script in a new shell, which then finds the pinned Node first on PATH.
 */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const INSTALLED = `${root}node_modules/.package-lock.json`;

const installed =
  existsSync(INSTALLED) && statSync(INSTALLED).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs;

if (!installed) {
  console.error("Installing what is missing (npm ci) ...");
  // npm names its own entry point, so this works where npm is no executable on PATH (Windows, Corepack).
  // Development packages too, whatever NODE_ENV says: the pinned Node is one of them.
  const npmCi = [process.env["npm_execpath"], "ci", "--include=dev", "--no-fund", "--no-audit"];
  execFileSync(process.execPath, npmCi, { cwd: root, stdio: ["ignore", 2, 2] });
}
