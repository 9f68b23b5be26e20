import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { startPerson, useBrowser } from "../support/app.ts";
import { freePort } from "../support/free-port.ts";
import { inherited } from "../support/inherited.ts";
import { tempDir } from "../support/temp-dir.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

useBrowser();

test.for([
  ["Ctrl-C", "SIGINT"],
  ["the end of its terminal", "SIGHUP"],
] as const)(
  "[W1] the demo starts everything, prints one address with a board that has tasks, and ends all of it at %s",
  async ([, signal]) => {
    const [frontend, backend, collab] = [await freePort(), await freePort(), await freePort()];
    const demo = spawn(process.execPath, ["scripts/demo/run.ts"], {
      cwd: root,
      env: {
        ...inherited,
        HOME: process.env["HOME"],
        // Of the developer's other work.
        NODE_ENV: "production",
        REDIS_URL: "redis://127.0.0.1:1",
        JWT_SECRET: "of-something-else-0123456789abcdef0123",
        DEMO_DATA: tempDir(),
        // Built once for all tests: a build here would take the files from under those of other tests.
        DEMO_BUILD: "0",
        FRONTEND_PORT: `${frontend}`,
        BACKEND_PORT: `${backend}`,
        COLLAB_PORT: `${collab}`,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(demo, "close");
    onTestFinished(async () => {
      demo.kill("SIGTERM");
      await ended;
    });
    const lines: string[] = [];
    const output = createInterface(demo.stdout).on("line", (line) => lines.push(line));
    await new Promise<void>((resolve) => output.on("line", (line) => line.includes("Logs") && resolve()));
    const addresses = lines.join("\n").match(/http:\S+/g);
    expect(addresses).toEqual([`http://localhost:${frontend}`]);
    const ana = await startPerson("Ana", `http://localhost:${frontend}`);
    await ana.task("Write the announcement").waitFor();
    await ana.sees("Saved");

    demo.kill(signal);
    expect(await ended).toEqual([0, null]);
    for (const port of [frontend, backend, collab])
      await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  },
);
