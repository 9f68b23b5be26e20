/** What the disk below a measurement takes to make a write durable: an ack that waits for it cannot be faster. */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "./statistics.ts";

const WRITES = 50;
const PAGE = Buffer.alloc(4096, 1);

/** Median of 50 appends of a page with an fsync each, ms. */
export function measureFsyncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), "righttask-bench-"));
  const file = openSync(join(directory, "probe"), "w");
  try {
    const times = Array.from({ length: WRITES }, () => {
      const startedAt = performance.now();
      writeSync(file, PAGE);
      fsyncSync(file);
      return performance.now() - startedAt;
    });
    return median(times);
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}
