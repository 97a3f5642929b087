/** The file of a Unix socket: that of a dead server is removed, others stay. */
import { linkSync, lstatSync, unlinkSync } from "node:fs";
import {
  link,
  lstat,
  mkdir,
  rename,
  rmdir,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { UnixEndpoint } from "../endpoint.ts";
import { codeOf } from "../errors.ts";
import type { Conn, Listener, Transport } from "../transport/transport.ts";
import { isListenedOn } from "../transport/net/listen.ts";

/** Milliseconds that a server has between binding the file and listening. */
const GRACE = 50;

/** Milliseconds after which a lock was left behind by a process that died. */
const LOCK_TIME = 10_000;

/** Milliseconds to wait for an answer; a server without one may be alive. */
const ANSWER = 1000;

/**
 * Opens a listener; where a dead server has left its file at the path, in its
 * place.
 *
 * @param path of a Unix socket with a file; undefined for any other address
 * @param onFreed called when such a file has been removed
 * @throws what `open` does
 */
export async function openFreeing<T>(
  transport: Transport,
  path: string | undefined,
  open: () => Promise<T>,
  onFreed: () => void = () => {},
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (codeOf(error) !== "address_in_use" || path === undefined) throw error;
    if (!await removeStale(transport, path)) throw error;
  }
  onFreed();
  return await open();
}

/**
 * Removes the file of a Unix socket that a dead server has left behind, and
 * never that of a live one. It is renamed, which only one process can win,
 * connected to once more under the new name, and put back if something answers.
 *
 * @returns whether the path is free now, as far as this process knows
 */
async function removeStale(
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

/**
 * What to do where no socket can be made since its folder is missing.
 *
 * @returns undefined where the folder is there
 */
export async function cureForFolder(path: string): Promise<string | undefined> {
  const folder = dirname(path);
  try {
    await stat(folder);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") return undefined;
    return `the folder ${folder} is not there: make it first`;
  }
}

/**
 * The file of a socket that this process listens on. Runtimes remove what
 * stands at its path when the socket is closed, and that may be another
 * server's by then: somebody has removed our file, and a successor has made its
 * own.
 */
export class SocketFile {
  readonly path: string;
  /** Which file is ours; no other can be it while we listen. */
  readonly #file: string | undefined;
  /** Another name of a successor's file, while our socket is being closed. */
  #aside: string | undefined;

  /** @param path of a socket that listens already */
  constructor(path: string) {
    this.path = path;
    this.#file = fileAt(path);
  }

  /** Whether clients can still reach the socket by its path. */
  get isOurs(): boolean {
    return fileAt(this.path) === this.#file;
  }

  /** Closes the socket by `close`, and leaves a successor's file. */
  closeBy(close: () => void): void {
    const { path } = this;
    if (!this.isOurs) {
      const aside = `${path}.${process.pid}`;
      if (isLinked(path, aside)) this.#aside = aside;
    }
    close();
    if (this.#aside === undefined) return;
    isLinked(this.#aside, path);
    process.once("exit", () => this.putBack()); // which may come first
  }

  /** Called when the socket is closed: Deno removes the file only then. */
  putBack(): void {
    if (this.#aside === undefined) return;
    isLinked(this.#aside, this.path);
    unlinkSync(this.#aside);
    this.#aside = undefined;
  }
}

/** A listener whose socket has a file. */
export class FileListener implements Listener {
  readonly endpoint: UnixEndpoint;
  readonly #listener: Listener;
  readonly #file: SocketFile;

  constructor(listener: Listener, endpoint: UnixEndpoint) {
    this.#listener = listener;
    this.endpoint = endpoint;
    this.#file = new SocketFile(endpoint.path);
  }

  /** Whether clients can still reach it by its path. */
  get hasFile(): boolean {
    return this.#file.isOurs;
  }

  async accept(): Promise<Conn | null> {
    const conn = await this.#listener.accept();
    if (conn === null) this.#file.putBack();
    return conn;
  }

  close(): void {
    this.#file.closeBy(() => this.#listener.close());
  }
}

function fileAt(path: string): string | undefined {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/** @returns whether the file has got that name too; not where there is one */
function isLinked(path: string, name: string): boolean {
  try {
    linkSync(path, name);
    return true;
  } catch {
    return false;
  }
}
