import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished, test } from "vitest";
import { tempDatabase } from "../support/temp-dir.ts";
import { Scene } from "./scene.ts";

const LOCKED_MS = 10_000;

/** A backup or an operator's shell, which begins to write and then forgets about it. Resolves when it has the lock. */
async function otherProcess(path: string): Promise<{ readonly ended: Promise<unknown> }> {
  const program = `
    const db = new (require("better-sqlite3"))(process.argv[1]);
    db.exec("BEGIN IMMEDIATE");
    console.log("locked");
    setTimeout(() => db.exec("ROLLBACK"), ${LOCKED_MS});`;
  const child = spawn(process.execPath, ["--input-type=commonjs", "-e", program, path], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await once(child.stdout, "data");
  return { ended };
}

test("[S2] another process holds the write lock for 10 s: acks are withheld as long, and nobody else waits", async () => {
  const { path, url } = tempDatabase();
  const scene = await Scene.open(url);
  const { ended } = await otherProcess(path);
  await scene.expectAcksWithheld(/SQLITE_BUSY/);
  // Again late in the fault, when the journal has tried several times.
  await scene.server.logged("a first failure", (line) => line["storage"] === "failing");
  await scene.expectAcksWithheld(/SQLITE_BUSY/);
  await ended;
  await scene.expectServiceAgain();
  await scene.expectNothingLost();
});
