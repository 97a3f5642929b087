import { readdirSync, readFileSync } from "node:fs";

/** One line of /proc. */
export interface ProcessState {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
}

function stateOf(pid: number): ProcessState | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name stands in parentheses and may hold anything.
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid, state: state!, parent: Number(parent) };
  } catch {
    return undefined; // it is gone
  }
}

/** All children of a process, zombies too. */
export function childrenOf(pid: number): ProcessState[] {
  return readdirSync("/proc").flatMap((name) => {
    const found = /^\d+$/.test(name) ? stateOf(Number(name)) : undefined;
    return found?.parent === pid ? [found] : [];
  });
}

/** Whether it runs; a zombie that pid 1 has not buried yet does not. */
export function isAlive(pid: number): boolean {
  const found = stateOf(pid);
  return found !== undefined && found.state !== "Z";
}

/** The most memory that a process has held at a time, in MiB. */
export function peakMemory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)![1]) / 1024;
}
