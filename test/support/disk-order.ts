/** In which order this process brings files onto the disk and gives them their names. What SQLite does by itself is not seen. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { onTestFinished } from "vitest";

/** Lines that grow until the end of the test: `fsync <path>`, and `name <path>`. */
export function diskOrder(): readonly string[] {
  const order: string[] = [];
  const paths = new Map<number, string>();
  const { openSync, fsyncSync, linkSync, renameSync } = fs;
  const replace = (functions: Partial<typeof fs>): void => {
    Object.assign(fs, functions);
    syncBuiltinESMExports();
  };
  replace({
    openSync(path, ...rest) {
      const descriptor = openSync(path, ...rest);
      paths.set(descriptor, String(path));
      return descriptor;
    },
    fsyncSync(descriptor) {
      fsyncSync(descriptor);
      order.push(`fsync ${paths.get(descriptor)}`);
    },
    linkSync(from, to) {
      linkSync(from, to);
      order.push(`name ${String(to)}`);
    },
    renameSync(from, to) {
      renameSync(from, to);
      order.push(`name ${String(to)}`);
    },
  });
  onTestFinished(() => replace({ openSync, fsyncSync, linkSync, renameSync }));
  return order;
}
