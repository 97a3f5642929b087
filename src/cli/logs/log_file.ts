/** The log in a file. */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  openSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { isatty } from "node:tty";
import { messageOf, TcpmuxError } from "../../errors.ts";
import { fromSystem } from "../../transport/errno.ts";
import { permitted } from "../../transport/permission.ts";
import { joined } from "../../wire.ts";
import { type LogSink, PartlyWritten, type SayProblem } from "./log_sink.ts";

/**
 * Neither follows a link nor waits for the reader of a fifo. Each write goes to
 * the end of the file, also after another program has made the file shorter.
 */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT |
  constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** The log names clients, which is not for all eyes. */
const MODE = 0o640;

const NEWLINE = 10;

/** What a failed write says of itself. */
const FULL: Record<string, string> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is as large as it may be",
};

/**
 * A file is written to at once, as nobody has to read it: for a line of the
 * log, a thread takes 4 to 15 µs of processor (see bench/NOTES.md).
 */
export class LogFile implements LogSink {
  readonly #path: string;
  readonly #say: SayProblem;
  #descriptor: number;
  /** The file ends within a line. */
  #isCut = false;
  /** Bytes in the file, as far as they are ours. */
  #size: number;

  /** @throws {TcpmuxError} where there is no such file, and none can be made */
  constructor(path: string, say: SayProblem) {
    this.#path = path;
    this.#say = say;
    this.#descriptor = open(path);
    this.#size = sizeOf(this.#descriptor);
  }

  // deno-lint-ignore require-await -- failing must reject
  async write(bytes: Uint8Array): Promise<void> {
    const ending = this.#isCut ? 1 : 0; // what was cut is no part of a line
    const all = ending === 0 ? bytes : joined(Uint8Array.of(NEWLINE), bytes);
    let taken = 0;
    try {
      while (taken < all.length) {
        taken += writeSync(this.#descriptor, all.subarray(taken));
      }
      this.#isCut = false;
      this.#size += taken;
    } catch (error) {
      // Deno does not say how much of a write was taken that has failed.
      const size = sizeOf(this.#descriptor);
      if (taken === 0) taken = Math.max(0, size - this.#size);
      taken = Math.min(taken, all.length);
      this.#size = size;
      if (taken > 0) this.#isCut = all[taken - 1] !== NEWLINE;
      throw new PartlyWritten(Math.max(0, taken - ending), error);
    }
  }

  failed(error: unknown): void {
    const cause = (error as Error).cause as { code?: string };
    const full = FULL[cause.code ?? ""];
    const what = `cannot write to the log ${this.#path}`;
    const why = full === undefined
      ? messageOf(fromSystem(cause, what))
      : `${what}: ${full} (${cause.code})`;
    this.#say(
      `${why} (the server goes on; the log will say how many lines ` +
        "it lacks)",
    );
  }

  /** The old file stays in use where the new one cannot be opened. */
  reopen(): void {
    try {
      const next = open(this.#path);
      closeSync(this.#descriptor);
      this.#descriptor = next;
      this.#size = sizeOf(next);
      this.#isCut = false;
    } catch (error) {
      this.#say(
        `${messageOf(error)} (the log goes on in the file that was ` +
          "open before)",
      );
    }
  }

  release(): void {
    closeSync(this.#descriptor);
  }
}

function open(path: string): number {
  let descriptor;
  try {
    descriptor = make(path) ?? openSync(path, FLAGS, MODE);
  } catch (error) {
    throw cannotOpen(path, error);
  }
  if (isFileOrDevice(descriptor)) return descriptor;
  closeSync(descriptor);
  throw new TcpmuxError("failed", refused(path, "not a file", NAME_A_FILE));
}

/**
 * Makes the file. One that root makes belongs to the owner of its directory, who
 * may be the user that the server becomes: it can be opened again then.
 *
 * @returns undefined where it is there already
 */
function make(path: string): number | undefined {
  let descriptor;
  try {
    descriptor = openSync(path, FLAGS | constants.O_EXCL, MODE);
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return undefined;
    throw error;
  }
  if (permitted("sys") && process.getuid?.() === 0) {
    const { uid, gid } = statSync(dirname(path));
    fchownSync(descriptor, uid, gid);
  }
  return descriptor;
}

function sizeOf(descriptor: number): number {
  return fstatSync(descriptor).size;
}

/** A device, such as /dev/null, has no reader who could stand still. */
function isFileOrDevice(descriptor: number): boolean {
  const kind = fstatSync(descriptor);
  return kind.isFile() || kind.isCharacterDevice() && !isatty(descriptor);
}

const NAME_A_FILE = "server.log.to must name a file";

function cannotOpen(path: string, error: unknown): Error {
  const { code, name } = error as { code?: string; name?: string };
  const folder = dirname(path);
  switch (code) {
    case "ENOENT":
      return new TcpmuxError(
        "not_found",
        refused(path, `there is no ${folder}`, `install -d -m 750 ${folder}`),
      );
    case "ENOTDIR":
      return new TcpmuxError(
        "not_found",
        refused(path, `${folder} is no directory`, NAME_A_FILE),
      );
    case "ELOOP":
      return new TcpmuxError(
        "failed",
        refused(path, "a symbolic link", "name the file that it leads to"),
      );
    case "EISDIR":
      return new TcpmuxError(
        "failed",
        refused(path, "a directory", NAME_A_FILE),
      );
    case "ENXIO":
      return new TcpmuxError(
        "failed",
        refused(path, "not a file", NAME_A_FILE),
      );
    case "EROFS":
      return new TcpmuxError(
        "failed",
        refused(path, "the file system is read-only", NAME_A_FILE),
      );
  }
  const failure = fromSystem(error, `cannot open the log ${path}`);
  if (name !== "NotCapable") return failure;
  const cure = "start it with deno run -A";
  return new TcpmuxError(
    "permission_denied",
    `${failure.message} (Deno was started without that permission: ${cure})`,
  );
}

function refused(path: string, why: string, cure: string): string {
  return `cannot open the log ${path}: ${why} (${cure})`;
}
