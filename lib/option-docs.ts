/** The option table as people read it: `--help`, the README table, `.env.example`. */
import { options, type Option } from "./options.ts";

const rows = Object.values(options) as Option<unknown>[];

export function helpText(): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(
    ({ name, help, fallback }) => `  ${name.padEnd(width)}  ${help}${fallback ? ` [${fallback}]` : ""}`,
  );
  return [
    "RightTask Collab: realtime rooms for React clients, beside a NestJS backend.",
    "",
    "  npm start            serve (node server.ts)",
    "  npm start -- --help  this text",
    "",
    "Environment variables [default]:",
    ...lines,
    "",
  ].join("\n");
}

export function markdownTable(): string {
  const lines = rows.map(({ name, fallback, help }) => {
    const cells = [`\`${name}\``, fallback === null ? "–" : `\`${fallback}\``, help];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| Variable | Default | |", "|---|---|---|", ...lines].join("\n");
}

export function envExample(): string {
  const lines = rows.map(({ name, fallback, help }) => `# ${help}\n#${name}=${fallback ?? ""}`);
  return `# Generated from lib/options.ts by \`npm run docs\`. Copy to .env and uncomment what you change.\n\n${lines.join("\n\n")}\n`;
}
