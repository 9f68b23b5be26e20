/** An operator's command, as a child process. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { inherited } from "./inherited.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export type CommandName = "backup" | "restore" | "doctor" | "import" | "export";

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult>;
}

export function startCommand(
  name: CommandName,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningCommand {
  const child = spawn(process.execPath, [`commands/${name}.ts`, ...args], {
    cwd: root,
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const out: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code, signal]) => {
    const bytes = Buffer.concat(out);
    return {
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: bytes.toString(),
      bytes,
      stderr,
    };
  });
  return { child, ended };
}

/** Runs it against the store at `url`. */
export function runCommand(
  name: CommandName,
  url: string,
  ...args: readonly string[]
): Promise<CommandResult> {
  return startCommand(name, args, { DATABASE_URL: url }).ended;
}
