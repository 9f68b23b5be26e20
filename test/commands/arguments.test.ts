/** What all commands have in common. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startCommand, type CommandName } from "../support/command.ts";

const commands = ["backup", "restore", "doctor", "import", "export"] as const satisfies CommandName[];
const root = fileURLToPath(new URL("../../", import.meta.url));

test.for(commands)(
  "[B1] [B2] [B3] [B4] [B5] %s explains itself and its exit codes, also as an npm script",
  async (name) => {
    const { code, stdout } = await startCommand(name, ["--help"]).ended;
    expect(code).toBe(0);
    for (const exitCode of [0, 1, 64, 78]) expect(stdout).toMatch(new RegExp(`^ +${exitCode}  \\S`, "m"));
    expect(
      execFileSync("npm", ["run", "-s", "--ignore-scripts", name, "--", "--help"], {
        cwd: root,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    ).toBe(stdout);
  },
);

test.for(commands)(
  "[B1] [B2] [B3] [B4] [B5] %s refuses wrong arguments with 64 and a wrong database with 78",
  async (name) => {
    const argument = name === "doctor" ? [] : ["x"];
    const run = (...args: readonly string[]) => startCommand(name, args).ended;
    expect(await run(...argument, "--nonsense")).toMatchObject({ code: 64, stdout: "" });
    expect(await run(...argument, "one too many")).toMatchObject({ code: 64, stdout: "" });
    const wrong = await run(...argument, "--database", "mysql://user:hunter2@host/db");
    expect(wrong).toMatchObject({ code: 78, stdout: "", stderr: expect.stringContaining("DATABASE_URL") });
    expect(wrong.stderr).not.toContain("hunter2");
  },
);
