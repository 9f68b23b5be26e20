/** CPU and memory as the Linux kernel accounts them: whole process, all threads, no cooperation of the server needed. */
import { readdirSync, readFileSync } from "node:fs";

/** Microseconds of one tick in /proc: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MICROS = 10_000;
const KIB = 1024;

/** User and system time of the process so far, in µs, with the resolution of one tick. */
export function cpuMicros(pid: number): number {
  const [user = 0, system = 0] = cpuTicks(`${pid}`);
  return (user + system) * TICK_MICROS;
}

/** Only the thread of the event loop: what limits how much one process can serve. */
export function mainThreadCpuMicros(pid: number): number {
  const [user = 0, system = 0] = cpuTicks(`${pid}/task/${pid}`);
  return (user + system) * TICK_MICROS;
}

/**
 * The same of all processes there are, ended children with their parents. Not from the totals in /proc/stat: those
 * are sampled at ticks and miss threads that run for less than a tick, as all of these do.
 */
export function machineCpuMicros(): number {
  let ticks = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      ticks += cpuTicks(entry).reduce((sum, value) => sum + value, 0);
    } catch {
      // It ended after it was listed.
    }
  }
  return ticks * TICK_MICROS;
}

export function rssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match === null) throw new Error(`No VmRSS in /proc/${pid}/status`);
  return Number(match[1]) * KIB;
}

/** User and system time of a process or thread, then of its children that have ended. */
function cpuTicks(entry: string): number[] {
  const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
  // The process name in parentheses may hold spaces: fields are counted from behind it, where `state` is field 3.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).map(Number);
}
