/** What all runtimes need for starting a program. */
import { readdirSync, readFileSync } from "node:fs";
import { permitted } from "./permission.ts";

/**
 * Starts a program with a umask. The whole process has that umask meanwhile,
 * but nothing else of ours runs then. A shell between, which would set it for
 * the program alone, would leave its own variables in the environment.
 */
export function withUmask<T>(mask: number | undefined, start: () => T): T {
  if (mask === undefined) return start();
  const own = process.umask(mask);
  try {
    return start();
  } finally {
    process.umask(own);
  }
}

/** Close-on-exec among the flags of a descriptor, on Linux. */
const O_CLOEXEC = 0o2000000;

/**
 * The descriptors besides standard input, output and error that a program would
 * inherit if it were started now. They are those that this process was started
 * with: every runtime opens its own as close-on-exec. Empty where the system
 * has no such list.
 */
export function inheritable(): number[] {
  if (!permitted("read")) return [];
  try {
    return readdirSync("/proc/self/fdinfo").map(Number)
      .filter((fd) => fd > 2 && isInheritable(fd));
  } catch {
    return []; // another system
  }
}

function isInheritable(fd: number): boolean {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "0";
    return (parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    return false; // the descriptor by which the list was read, closed since
  }
}
