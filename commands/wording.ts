/** Numbers and times as an operator reads them. */
const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/** UTC: what the server's log lines carry too. */
export function timeText(unixMs: number | null): string {
  return unixMs === null || unixMs === 0 ? "unknown" : new Date(unixMs).toISOString();
}

/** A room name may hold what a terminal would obey. */
export function roomText(name: string): string {
  return JSON.stringify(name);
}
