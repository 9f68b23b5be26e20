import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of this test's own, removed with it. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "righttask-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A SQLite file of this test's own: its path and its DATABASE_URL. */
export function tempDatabase(): { readonly path: string; readonly url: string } {
  const path = join(tempDir(), "collab.sqlite");
  return { path, url: `sqlite:${path}` };
}
