import { link, lstat, mkdir, rename, rmdir, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";
import { isListenedOn } from "../transport/net/unix_listeners.ts";

/** Milliseconds that a server has between binding the file and listening. */
const GRACE = 50;

/** Milliseconds after which a lock was left behind by a process that died. */
const LOCK_TIME = 10_000;

/** Milliseconds to wait for an answer; a server without one may be alive. */
const ANSWER = 1000;

/**
 * Removes the file of a Unix socket that a dead server has left behind, and
 * never that of a live one. It is renamed, which only one process can win,
 * connected to once more under the new name, and put back if something answers.
 *
 * @returns whether the path is free now, as far as this process knows
 */
export async function removeStale(
  transport: Transport,
  path: string,
): Promise<boolean> {
  if (path.startsWith("\0")) return false;
  const lock = `${path}.lock`;
  try {
    await mkdir(lock); // which fails for all but one process
  } catch {
    await removeOld(lock);
    return false;
  }
  try {
    return await removeAlone(transport, path);
  } finally {
    await rmdir(lock).catch(() => {});
  }
}

/** Removes a lock whose maker has died, so that the next attempt succeeds. */
async function removeOld(lock: string): Promise<void> {
  try {
    const { mtimeMs } = await lstat(lock);
    if (Date.now() - mtimeMs > LOCK_TIME) await rmdir(lock);
  } catch {
    // The lock is gone, or this process may not remove it.
  }
}

async function removeAlone(
  transport: Transport,
  path: string,
): Promise<boolean> {
  const aside = `${path}.${process.pid}`;
  try {
    if (!(await lstat(path)).isSocket()) return false;
    if (await isAlive(transport, path, path)) return false;
    await rename(path, aside);
  } catch (error) {
    // Another process has removed the file, or this one may not.
    return (error as { code?: string }).code === "ENOENT";
  }
  await sleep(GRACE);
  const alive = await isAlive(transport, aside, path);
  // Unlike a rename, a link does not replace a file that has appeared since.
  if (alive) await link(aside, path).catch(() => {});
  await unlink(aside);
  return !alive;
}

/**
 * Whether a server answers at this path.
 *
 * @param bound the path that the server gave its socket
 */
async function isAlive(
  transport: Transport,
  path: string,
  bound: string,
): Promise<boolean> {
  try {
    const to = { transport: "unix", path } as const;
    const conn = await transport.connect(to, { timeout: ANSWER }).conn;
    conn.abort();
    return true;
  } catch (error) {
    // Bun reports other failures as a refusal too: the kernel's list decides.
    return codeOf(error) !== "connection_refused" || await isListenedOn(bound);
  }
}
