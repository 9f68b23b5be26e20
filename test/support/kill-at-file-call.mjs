// Loaded into a child: SIGKILL before its nth call that changes which files there are, or that brings one to the disk.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

let left = Number(process.env.KILL_AT_FILE_CALL);
for (const name of ["chmodSync", "fsyncSync", "linkSync", "renameSync"]) {
  const original = fs[name];
  fs[name] = (...args) => {
    if (left-- === 0) process.kill(process.pid, "SIGKILL");
    return original(...args);
  };
}
syncBuiltinESMExports();
