import { readFileSync } from "node:fs";
import { childrenOf } from "../tests/support/processes.ts";
import { descriptors, until } from "../tests/support/wait.ts";

/** What a server process holds while nobody is connected. */
export interface Sample {
  /** Seconds since the load began. */
  readonly at: number;
  readonly memory: number;
  readonly descriptors: number;
  readonly children: number;
}

/** @param at seconds since the load began */
export function sample(pid: number, at: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    at: Math.round(at),
    memory: Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)![1]) / 1024,
    descriptors: descriptors(pid),
    children: childrenOf(pid).length,
  };
}

/** Waits until all programs have ended and descriptors are what they were. */
export async function settled(
  pid: number,
  most = Infinity,
): Promise<string | undefined> {
  try {
    await until(
      "",
      () => childrenOf(pid).length === 0 && descriptors(pid) <= most,
    );
  } catch {
    const { children, descriptors } = sample(pid, 0);
    return `${children} programs and ${descriptors} descriptors are left`;
  }
}

/**
 * What has grown beyond what a heap does by itself, from the end of the
 * warm-up to the end.
 *
 * @param slack MiB that memory may grow
 */
export function leak(warm: Sample, end: Sample, slack: number): string[] {
  const leaks = [];
  if (end.memory > warm.memory + slack) {
    leaks.push(
      `memory went from ${Math.round(warm.memory)} to ${
        Math.round(end.memory)
      } MiB`,
    );
  }
  if (end.descriptors > warm.descriptors) {
    leaks.push(
      `descriptors went from ${warm.descriptors} to ${end.descriptors}`,
    );
  }
  if (end.children > 0) leaks.push(`${end.children} programs are left`);
  return leaks;
}
