import { readdirSync, readFileSync } from "node:fs";
import { permitted } from "./permission.ts";

/** Close-on-exec among the flags of a descriptor, on Linux. */
const O_CLOEXEC = 0o2000000;

/**
 * The descriptors besides standard input, output and error that a program
 * which is started now would inherit: those that we were started with, since
 * no runtime opens any in that way. None where the system does not tell.
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
    return false; // it was the one that the list was read by
  }
}
