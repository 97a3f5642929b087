import {
  link,
  lstat,
  mkdir,
  readFile,
  rename,
  rmdir,
  unlink,
} from "node:fs/promises";
import { basename } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../errors.ts";
import type { Transport } from "./transport.ts";

/** Milliseconds for one that has just bound the file to listen on it. */
const GRACE = 50;

/** Milliseconds after which nobody is taking the file over any more. */
const LOCK_TIME = 10_000;

/** Milliseconds to wait for an answer; who gives none may be alive. */
const ANSWER = 1000;

/**
 * Takes away the file of a Unix socket that a dead server has left behind,
 * and never that of a live one: it is moved aside, which only one of us can
 * do, asked once more where it lies then, and put back if it is alive.
 *
 * @returns whether the path is free now, as far as this one knew
 */
export async function removeStale(
  transport: Transport,
  path: string,
): Promise<boolean> {
  if (path.startsWith("\0")) return false;
  const lock = `${path}.lock`;
  try {
    await mkdir(lock); // who comes second gives up
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

/** Whoever made it has died meanwhile: the next one gets it. */
async function removeOld(lock: string): Promise<void> {
  try {
    const { mtimeMs } = await lstat(lock);
    if (Date.now() - mtimeMs > LOCK_TIME) await rmdir(lock);
  } catch {
    // It is gone, or not ours to remove.
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
    // Somebody else has taken it away, or we may not.
    return (error as { code?: string }).code === "ENOENT";
  }
  await sleep(GRACE);
  const alive = await isAlive(transport, aside, path);
  // Unlike a rename, a link replaces nobody who has come meanwhile.
  if (alive) await link(aside, path).catch(() => {});
  await unlink(aside);
  return !alive;
}

/** @param bound the path that its server gave it */
async function isAlive(
  transport: Transport,
  path: string,
  bound: string,
): Promise<boolean> {
  try {
    const to = { transport: "unix", path } as const;
    const conn = await transport.connect(to, { timeout: ANSWER });
    conn.abort();
    return true;
  } catch (error) {
    // Bun calls other failures a refusal too, so the kernel's list counts.
    return codeOf(error) !== "connection_refused" || await isListed(bound);
  }
}

/** Whether a socket listens on that path, or a relative one, where Linux tells. */
async function isListed(path: string): Promise<boolean> {
  const name = basename(path);
  const lines = await readFile("/proc/net/unix", "latin1").catch(() => "");
  // Num RefCount Protocol Flags Type St Inode Path; 00010000 is a listener.
  return lines.split("\n").some((line) => {
    const [, , , flags, , , , ...words] = line.split(" ").filter(Boolean);
    const listed = words.join(" ");
    const isIt = listed === path ||
      !listed.startsWith("/") && basename(listed) === name;
    return flags === "00010000" && isIt;
  });
}
