import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { Problems } from "../table/problem.ts";
import type { FileStates, TlsFolder } from "./files.ts";

/** Milliseconds after which files are looked at again. */
export const LOOK = 5000;

/** Files that a table names, and how they are read. */
export interface NamedFiles<T> {
  /** Where the table names them, for the log. */
  readonly place: string;
  /** More for the log. */
  readonly facts?: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  /** Adds a problem for each file that is missing or does not fit. */
  readonly read: (problems: Problems) => Promise<T>;
}

/**
 * What stood in files when they were right last. What is wrong with them is said
 * once, and they are read again at each look until they are right: a read may
 * have failed for want of descriptors, and what is wrong today may be right
 * tomorrow, as a list of revoked certificates whose day has not come.
 */
export class WatchedFiles<T> {
  readonly #folder: TlsFolder;
  readonly #files: NamedFiles<T>;
  #content: T;
  /** Of the files when their content was taken. */
  #states: FileStates;
  /** What was said last to be wrong with them. */
  #said: string | undefined;
  /** By `performance.now()`. */
  #looked = performance.now();
  #looking: Promise<boolean> | undefined;

  private constructor(
    folder: TlsFolder,
    files: NamedFiles<T>,
    content: T,
    states: FileStates,
  ) {
    this.#folder = folder;
    this.#files = files;
    this.#content = content;
    this.#states = states;
  }

  /** Not to be used where it has added problems: its content is not whole. */
  static async of<T>(
    folder: TlsFolder,
    files: NamedFiles<T>,
    problems: Problems,
  ): Promise<WatchedFiles<T>> {
    const states = await folder.statesOf(files.names);
    const content = await files.read(problems);
    return new WatchedFiles(folder, files, content, states);
  }

  get content(): T {
    return this.#content;
  }

  /** Whether there is another content now. */
  look(log: Log): Promise<boolean> {
    return this.#looking ??= this.#look(log)
      .finally(() => this.#looking = undefined);
  }

  /**
   * The same, but not more often than needed.
   *
   * @returns undefined where there is nothing to wait for
   */
  lookInTime(log: Log): Promise<boolean> | undefined {
    const isTime = performance.now() > this.#looked + LOOK;
    return isTime ? this.look(log) : this.#looking;
  }

  async #look(log: Log): Promise<boolean> {
    this.#looked = performance.now();
    const { place, facts, names, read } = this.#files;
    const states = await this.#folder.statesOf(names);
    const changed = [...states.keys()].filter((name) =>
      states.get(name) !== this.#states.get(name)
    );
    const said = this.#said;
    this.#said = undefined;
    if (changed.length === 0) return false;
    const all = { ...facts, files: changed.join(", ") };
    try {
      const problems = new Problems();
      const content = await read(problems);
      problems.throwIfAny();
      this.#content = content;
      this.#states = states;
      log("info", `the files of ${place} have changed, and are in use`, all);
      return true;
    } catch (error) {
      const reason = this.#said = messageOf(error);
      if (reason === said) return false;
      const what = `the files of ${place} have changed and are not used`;
      log("error", what, { ...all, reason });
      return false;
    }
  }
}
