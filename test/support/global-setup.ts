import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * Built once for all tests: the NestJS backend uses decorators, which Node's type stripping does not run, and the app is tested as its users
 * have it.
 */
export default async function setup(): Promise<void> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  // Vitest says "test", with which Vite builds a page for development.
  const env = { ...process.env, NODE_ENV: "production" };
  const build = (workspace: string) =>
    promisify(execFile)("npm", ["run", "-s", "build", "-w", workspace], { cwd: root, env });
  await Promise.all([build("examples/backend"), build("examples/frontend")]);
}
