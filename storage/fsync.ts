import { closeSync, fsyncSync, openSync } from "node:fs";

/** Returns once what is in the file, or which files are in the folder, is on the disk. */
export function fsync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
