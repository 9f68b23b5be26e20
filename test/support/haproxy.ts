/** A real HAProxy for one test, in front of its servers. */
import { onTestFinished } from "vitest";
import type { Binary } from "./debian-binary.ts";
import { describeWithBinary } from "./describe-with-binary.ts";
import { findHaproxy, HaproxyProcess } from "./haproxy-process.ts";

/** Around the tests of a file that need one. */
export function describeWithHaproxy(name: string, tests: (binary: Binary) => void): void {
  describeWithBinary(findHaproxy(), name, tests);
}

/** As `HaproxyProcess.start`; it is ended with the test. */
export async function startHaproxy(
  ...parameters: Parameters<typeof HaproxyProcess.start>
): Promise<HaproxyProcess> {
  const proxy = await HaproxyProcess.start(...parameters);
  onTestFinished(() => proxy.stop());
  return proxy;
}
