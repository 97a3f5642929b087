/** One process at a time: a symbolic link that names it. */
import { readlinkSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpmuxError } from "../../errors.ts";

/** Milliseconds that another process gets to finish, and between two looks. */
const PATIENCE = 5_000;
const PAUSE = 50;

/**
 * Runs `use` while no other process does so under the same lock. What a process
 * leaves that was killed is taken over.
 *
 * @param path of the link
 * @throws {TcpmuxError} code `busy` where another one does not finish
 */
export async function locked<T>(
  path: string,
  use: () => Promise<T>,
): Promise<T> {
  const own = `${process.pid}@${hostname()}`;
  for (let waited = 0; !isTaken(path, own); waited += PAUSE) {
    if (freeStale(path)) continue;
    if (waited >= PATIENCE) throw busy(path);
    await sleep(PAUSE);
  }
  try {
    return await use();
  } finally {
    unlinkSync(path);
  }
}

/** Whether the lock is ours now. A link is made with its text, or not at all. */
function isTaken(path: string, own: string): boolean {
  try {
    symlinkSync(own, path);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    return false;
  }
}

/**
 * Removes the lock of a dead process of this machine. It is renamed, which only
 * one process can win, and put back if it is a successor's by then.
 */
function freeStale(path: string): boolean {
  const holder = holderOf(path);
  if (holder === undefined) return true;
  const [, pid, host] = /^(\d+)@(.*)$/.exec(holder) ?? [];
  if (pid === undefined || host !== hostname() || isAlive(Number(pid))) {
    return false;
  }
  const aside = `${path}-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    return true;
  }
  const moved = holderOf(aside);
  unlinkSync(aside);
  if (moved === holder || moved === undefined) return true;
  isTaken(path, moved);
  return false;
}

/** Undefined where nobody holds the lock any more. */
function holderOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether it is another process that lives: in a container all may be 1. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== "ESRCH"; // another user's
  }
}

function busy(path: string): TcpmuxError {
  const holder = holderOf(path) ?? "another process";
  return new TcpmuxError(
    "busy",
    `${path}: process ${holder} is at work there (wait for it; if there is ` +
      `none, remove ${path})`,
  );
}
