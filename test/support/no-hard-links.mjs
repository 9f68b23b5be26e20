// Loaded into a child: its file system knows no hard links, as exFAT.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

fs.linkSync = () => {
  throw Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" });
};
syncBuiltinESMExports();
