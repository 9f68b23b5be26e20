/** The examples as their users have them. The NestJS backend uses decorators, which Node's type stripping does not run. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** @throws with what the build printed. */
export async function buildExamples(): Promise<void> {
  await Promise.all([build("examples/backend"), build("examples/frontend")]);
}

async function build(workspace: string): Promise<void> {
  const npm = ["run", "-s", "build", "-w", workspace];
  // Whatever the shell, or Vitest, says: with anything else Vite would build a page for development.
  const env = { ...process.env, NODE_ENV: "production" };
  await promisify(execFile)("npm", npm, { cwd: root, env }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${workspace} cannot be built:\n${error.stdout}${error.stderr}`);
    },
  );
}
