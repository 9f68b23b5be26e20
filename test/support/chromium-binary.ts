/** A Chromium without a window: the machine's own, or that of Debian's packages. */
import { execFileSync } from "node:child_process";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findBinary, type Binary } from "./debian-binary.ts";

/** @throws where there is none: nothing that the app promises would be shown then. */
export function findChromium(): Binary {
  const own = ["chromium", "chromium-browser", "google-chrome"].find(runs);
  if (own !== undefined) return { path: which(own), env: {} };
  const found = findBinary({
    name: "chromium-headless-shell",
    folder: "usr/lib/chromium",
    versionFlag: "--version",
    extras: ["fonts-inter"],
  });
  if ("missing" in found) throw new Error(found.missing);
  // Unpacked, it has its libraries named; what the machine has installed finds its own, and the machine's fonts.
  if (found.env["LD_LIBRARY_PATH"]) return { ...found, env: { ...found.env, ...fonts(found.path) } };
  return found.path.startsWith("/") ? found : { path: which(found.path), env: {} };
}

/** One face whatever the machine has, so that pictures of the app look the same everywhere. */
function fonts(path: string): Readonly<Record<string, string>> {
  const usr = join(dirname(path), "../..");
  const file = join(usr, "fonts.conf");
  const aliases = ["system-ui", "sans-serif"].map(
    (family) =>
      `<alias binding="same"><family>${family}</family><prefer><family>Inter</family></prefer></alias>`,
  );
  if (existsSync(file)) return { FONTCONFIG_FILE: file };
  // Test files run beside each other, and none may read half of it.
  const draft = `${file}.${process.pid}`;
  writeFileSync(
    draft,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${usr}/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${usr}/fonts-cache</cachedir>
${aliases.join("\n")}</fontconfig>`,
  );
  renameSync(draft, file);
  return { FONTCONFIG_FILE: file };
}

function runs(name: string): boolean {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function which(name: string): string {
  return execFileSync("which", [name], { encoding: "utf8" }).trim();
}
