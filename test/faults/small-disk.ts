/** A disk of a few megabytes that a test may fill and break: an ext4 file system of its own, in a file. Needs root and loop devices. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { onTestFinished, test } from "vitest";
import { tempDir } from "../support/temp-dir.ts";

const DISK_BYTES = 16 * 1024 * 1024;

const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: "pipe" }).trim();

export class SmallDisk {
  readonly #image: string;
  readonly path: string;

  /** It is gone with the test. */
  constructor() {
    const dir = tempDir();
    this.#image = join(dir, "disk.img");
    this.path = join(dir, "disk");
    mkdirSync(this.path);
    writeFileSync(this.#image, "");
    truncateSync(this.#image, DISK_BYTES);
    // No blocks reserved for root, who runs the server here.
    run("mkfs.ext4", "-q", "-m", "0", this.#image);
    this.mount();
    onTestFinished(() => this.unmount());
  }

  mount(): void {
    run("mount", "-o", "loop,errors=remount-ro", this.#image, this.path);
  }

  /** Lazily: a server that a failed test left running must not keep it. */
  unmount(): void {
    run("umount", "-l", this.path);
  }

  /** Takes every block that is left. Returns how to give them back. */
  fill(): () => void {
    const ballast = join(this.path, "ballast");
    const descriptor = openSync(ballast, "w");
    try {
      for (const size of [1024 * 1024, 4096, 1]) writeUntilFull(descriptor, Buffer.alloc(size));
    } finally {
      closeSync(descriptor);
    }
    return () => rmSync(ballast);
  }

  /** Writing fails from now on, also through descriptors that are open already: the kernel refuses a remount while there are any. */
  setReadOnly(files: readonly string[], readOnly: boolean): void {
    run("chattr", readOnly ? "+i" : "-i", ...files.map((file) => join(this.path, file)));
  }

  /** Only where no file is open for writing. */
  setMountReadOnly(): void {
    run("mount", "-o", "remount,ro", this.path);
  }

  /** The kernel meets a damaged block, and makes the file system read-only as it does with a dying disk. Only repairing it helps. */
  breakDown(): void {
    const device = basename(run("findmnt", "-no", "SOURCE", this.path));
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
  }

  /** With nobody on it: check, and mount again. */
  repair(): void {
    this.unmount();
    try {
      run("e2fsck", "-fy", this.#image);
    } catch (error) {
      // 1 says that errors were corrected.
      if ((error as { status?: number }).status !== 1) throw error;
    }
    this.mount();
  }
}

function writeUntilFull(descriptor: number, block: Buffer): void {
  try {
    for (;;) writeSync(descriptor, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

/** Why there can be no small disk here; null where there can. */
const obstacle = ((): string | null => {
  if (process.getuid?.() !== 0) return "only root may mount";
  try {
    run("losetup", "-f");
    run("which", "mkfs.ext4");
    return null;
  } catch (error) {
    return String(error);
  }
})();

/** A test on a small disk. Where there can be none it is skipped with the reason in its name, and fails where CI is set. */
export const diskTest: (name: string, body: () => Promise<void>) => void =
  obstacle === null
    ? (name, body) => test(name, body)
    : (name) =>
        test.runIf(process.env["CI"])(`${name} (no small disk: ${obstacle})`, () => {
          throw new Error(`This machine cannot play the fault: ${obstacle}`);
        });
