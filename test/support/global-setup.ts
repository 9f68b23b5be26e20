import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The NestJS backend uses decorators, which Node's type stripping does not run: it is compiled once for all tests. */
export default function setup(): void {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  execFileSync("npm", ["run", "-s", "build", "-w", "examples/backend"], { cwd: root, stdio: "inherit" });
}
