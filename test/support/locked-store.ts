/** A SQLite file that can be read and not written: whoever wants to commit waits. */
import Database from "better-sqlite3";
import { onTestFinished } from "vitest";

/** Returns what ends it. */
export function lockStore(path: string): () => void {
  const db = new Database(path);
  db.exec("BEGIN IMMEDIATE");
  let isLocked = true;
  const release = (): void => {
    if (isLocked) db.close();
    isLocked = false;
  };
  onTestFinished(release);
  return release;
}
