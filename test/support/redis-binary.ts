import { findBinary, type Binary, type Missing } from "./debian-binary.ts";

export function findRedis(): Binary | Missing {
  return findBinary({ name: "redis-server", folder: "usr/bin", versionFlag: "--version" });
}
