/**
 * The folder of a CA: a change of it is made as a whole, or not at all, and by one
 * process at a time, which a symbolic link names.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpmuxError, withCure } from "../../errors.ts";
import { fromSystem } from "../../transport/errno.ts";

const LOCK = ".lock";
/** Milliseconds that another process gets to finish, and between two looks. */
const PATIENCE = 5_000;
const PAUSE = 50;
/** What is being made, behind which stands the process that makes it. */
const WORK = ".work-";
/** A whole change: whoever finds it there finishes it. */
const COMMIT = ".commit";
/** In the working folder, what is put in place at the end. */
export const MADE = "made";
/** Moved last, so that the files it speaks of are there. */
export const INDEX = "index.txt";

/** Others than its owner have no business in it. */
const FOLDER_MODE = 0o700;
const KEY_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const WRITABLE_BY_OTHERS = 0o022;

/** Where the files of one change are made. */
export interface Stage {
  /** For what the change itself needs; it is removed with all that is in it. */
  readonly work: string;
  /** Adds a file to the change, under its name in the CA's folder. */
  write(name: string, text: string): void;
}

/** The files of one CA. */
export class CaFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  at(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return this.#trying(() => exists(this.at(name)));
  }

  read(name: string): string {
    return this.#trying(() => readFileSync(this.at(name), "utf8"));
  }

  /** Makes it, where it is not there yet. */
  make(): void {
    this.#trying(() => {
      if (!exists(this.path)) mkdirSync(this.path, { mode: FOLDER_MODE });
    });
  }

  /** Finishes the change of a process that was killed, if there is one. */
  async finish(): Promise<void> {
    if (this.has(COMMIT)) await this.change(async () => {});
  }

  /**
   * Has `make` make files, alone, and puts them in place once it resolves. A
   * process that is killed leaves the files from before, or a whole change that
   * the next one finishes.
   */
  async change<T>(make: (stage: Stage) => Promise<T>): Promise<T> {
    this.#trying(() => {
      if ((statSync(this.path).mode & WRITABLE_BY_OTHERS) === 0) return;
      throw new TcpmuxError(
        "permission_denied",
        `${this.path}: others can write in it (chmod go-w ${this.path})`,
      );
    });
    try {
      return await locked(this.at(LOCK), () => this.#changeAlone(make));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #changeAlone<T>(make: (stage: Stage) => Promise<T>): Promise<T> {
    for (const name of readdirSync(this.path)) {
      if (name.startsWith(WORK)) rmSync(this.at(name), { recursive: true });
    }
    this.#putInPlace();
    const work = this.at(`${WORK}${process.pid}`);
    const made = join(work, MADE);
    mkdirSync(work, { mode: FOLDER_MODE });
    try {
      mkdirSync(made, { mode: FOLDER_MODE });
      const result = await make({
        work,
        write: (name, text) => write(join(made, name), text),
      });
      renameSync(made, this.at(COMMIT));
      synchronize(this.path);
      this.#putInPlace();
      return result;
    } finally {
      rmSync(work, { recursive: true });
    }
  }

  #putInPlace(): void {
    const commit = this.at(COMMIT);
    if (!exists(commit)) return;
    const names = readdirSync(commit, { recursive: true }).map(String)
      .filter((name) => statSync(join(commit, name)).isFile());
    for (const name of [...names.filter((name) => name !== INDEX), INDEX]) {
      if (!names.includes(name)) continue;
      const place = this.at(name);
      mkdirSync(dirname(place), { recursive: true, mode: FOLDER_MODE });
      renameSync(join(commit, name), place);
      synchronize(dirname(place));
    }
    rmSync(commit, { recursive: true });
  }

  #trying<T>(use: () => T): T {
    try {
      return use();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): unknown {
    switch ((error as { code?: string }).code) {
      case "ENOSPC":
      case "EDQUOT":
        return new TcpmuxError(
          "failed",
          `${this.path}: the disk is full (make room)`,
          { cause: error },
        );
      case "EROFS":
        return new TcpmuxError(
          "failed",
          `${this.path}: the file system is read-only (name another folder by ` +
            "--dir)",
          { cause: error },
        );
    }
    if (error instanceof TcpmuxError) return error;
    const failure = fromSystem(error, `cannot work in ${this.path}`);
    const isDenied = failure instanceof TcpmuxError &&
      failure.code === "permission_denied";
    return withCure(failure, isDenied ? "run it as its owner" : undefined);
  }
}

/** @throws the system's error where it may not be known */
function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Writes a new file, so that it is on the disk when this returns. */
function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
  const mode = path.endsWith(".key") ? KEY_MODE : PUBLIC_MODE;
  writeFileSync(path, text, { flag: "wx", mode });
  chmodSync(path, mode); // whatever the umask is
  for (const one of [path, dirname(path)]) synchronize(one);
}

/** Has the system put on the disk what it keeps of a file or a folder. */
function synchronize(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Runs `use` while no other process does so under the same lock. What a process
 * leaves that was killed is taken over.
 *
 * @param path of the link
 * @throws {TcpmuxError} code `busy` where another one does not finish
 */
async function locked<T>(
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
