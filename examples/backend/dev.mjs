/**
 * One round of `npm run dev`: compile, then run. `node --watch-path=src` starts it anew after every change.
 *
 * Not `tsc --watch`: TypeScript 7.0.2 misses changes in some places (seen on Linux in a container); compiling anew takes
 * less than half a second.
 */
import { spawnSync } from "node:child_process";

// A shell, because on Windows tsc is a .cmd file.
const { status } = spawnSync("tsc -p .", { shell: true, stdio: "inherit" });
// With errors nothing runs until the next change; an old build would only pretend that the change had no effect.
if (status === 0) await import("./dist/main.js");
