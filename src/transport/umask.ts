import process from "node:process";

/**
 * Starts a program with that umask. It is the whole process's for the moment,
 * during which nothing else of ours runs; a shell that sets it in the program
 * alone would leave its own variables in the environment.
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
