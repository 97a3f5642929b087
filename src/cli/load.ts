/**
 * Loads tables and what they include, from files that only root or the server's
 * user can write.
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { TcpmuxError } from "../errors.ts";
import { type Document, readDocument } from "../table/files/document.ts";
import { includesOf, tableOf } from "../table/parse.ts";
import {
  type KeyPath,
  type Problem,
  Problems,
  TableError,
} from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import { pickTransport } from "../transport/pick.ts";
import {
  decoded,
  isPattern,
  TableFiles,
  whyUnreadable,
} from "./tables/files.ts";

/** Standard input, as the name of a file. */
const STDIN = "-";

/** What whoever has started the program has opened, as a shell's `<(…)`. */
const HANDED = /^\/(dev\/(stdin|fd\/\d+)|proc\/(self|\d+)\/fd\/\d+)$/;

const USED_UP = "it was read at the start and cannot be read again (only a " +
  "regular file can be reloaded)";

/** The name that errors and the log give the embedded table. */
const EMBEDDED_NAME = "services.toml (embedded)";

/** A table and the name of the file that it came from. */
export interface Loaded {
  readonly table: Table;
  readonly file: string;
  /** What is not as it should be, and no reason to serve nothing. */
  readonly advice: () => readonly Problem[];
}

/** A service table, with the files that it stands in. */
export interface LoadedTable extends Loaded {
  /** The first has the settings; those that it includes follow. */
  readonly documents: readonly [Document, ...Document[]];
}

/**
 * Reads a table file and those that it includes, or the embedded table where
 * none is named.
 *
 * @throws {TableError} with every problem
 * @throws {TcpmuxError} code `invalid_table` where the file cannot be read
 */
export async function loadTable(source: TableSource): Promise<LoadedTable> {
  const { name } = source;
  const main = readDocument(await source.read(), name);
  const { hasFolder } = source;
  const included = await Included.read(main, source.files, hasFolder);
  const { documents, errors, advice } = included;
  const table = tableOf(main, documents, errors);
  if (table.services.length === 0) {
    // Most likely a file that was cut short, perhaps while it is being saved.
    const message = "is empty; needed: at least one table [services.NAME]";
    throw new TableError([{ file: name, key: "services", message }]);
  }
  return {
    table,
    file: name,
    documents: [main, ...documents],
    advice: () => [...source.advice, ...advice],
  };
}

/**
 * The default table as text: part of the program where the runtime or the
 * bundler can import text, read from beside the sources where Node cannot.
 */
async function embeddedTable(): Promise<string> {
  try {
    const text = await import("../../services.toml", {
      with: { type: "text" },
    });
    return text.default;
  } catch {
    return await readFile(new URL("../../services.toml", import.meta.url), {
      encoding: "utf8",
    });
  }
}

/**
 * Where the text of a table comes from. Its programs run with the rights of the
 * server, so only root or the server's user may be able to write the file and
 * all folders above it (compare StrictModes of sshd_config(5)).
 */
export class TableSource {
  /** The name that errors and the log give it. */
  readonly name: string;
  readonly #file: string | undefined;
  readonly #isStrict: boolean;
  #files: TableFiles;
  /** What was handed over by a pipe is gone once it has been read. */
  #isUsedUp = false;

  /** @param file `-` is standard input, and undefined the embedded table */
  constructor(file: string | undefined, { isStrict = true } = {}) {
    this.#file = file;
    this.#isStrict = isStrict;
    this.#files = new TableFiles(isStrict);
    this.name = file === undefined
      ? EMBEDDED_NAME
      : file === STDIN
      ? "standard input"
      : file;
  }

  /** The files that were read last. */
  get files(): TableFiles {
    return this.#files;
  }

  /** Whether the table is in a file, where the paths of others begin. */
  get hasFolder(): boolean {
    const file = this.#file;
    return file !== undefined && file !== STDIN && !HANDED.test(file);
  }

  /** Who else could change it, as was found when it was read last. */
  get faults(): readonly Problem[] {
    return this.#files.faults;
  }

  /** What was found when it was read last. */
  get advice(): readonly Problem[] {
    if (!this.#isUsedUp) return this.faults;
    const message = "it can be read only once, so SIGHUP will change nothing";
    return [...this.faults, { file: this.name, key: "", message }];
  }

  /**
   * @throws {TcpmuxError} code `invalid_table`, saying why it cannot be read,
   * or a {@linkcode TableError} saying who else may change it
   */
  async read(): Promise<string> {
    const file = this.#file;
    if (file === undefined) return await embeddedTable();
    const files = this.#files = new TableFiles(this.#isStrict);
    try {
      if (this.#isUsedUp) throw new Error(USED_UP);
      if (this.hasFolder) return await files.read(file);
      if (file !== STDIN && (await stat(file)).isFile()) {
        return await files.read(file); // it was handed over, and is no pipe
      }
      this.#isUsedUp = true;
      return file === STDIN
        ? decoded(await inputPieces())
        : decoded([await readFile(file)]);
    } catch (error) {
      if (error instanceof TableError) throw error;
      const message = `${this.name}: cannot be read: ${whyUnreadable(error)}`;
      throw new TcpmuxError("invalid_table", message, { cause: error });
    }
  }
}

/** All of standard input. */
export async function inputPieces(): Promise<Uint8Array[]> {
  const stdio = (await pickTransport()).stdio();
  const pieces: Uint8Array[] = [];
  try {
    for (let bytes; (bytes = await stdio.read()) !== null;) pieces.push(bytes);
  } finally {
    stdio.close();
  }
  return pieces;
}

/** What is wrong with an include where no path can begin. */
const NO_FOLDER =
  "begins nowhere: only a table that is read from a file can include others";

/** Reads the files that a table includes, each once. */
class Included {
  readonly documents: Document[] = [];
  /** What is wrong with files that could not be read. */
  readonly errors: Problem[] = [];
  readonly #main: Document;
  readonly #files: TableFiles;
  readonly #advice: Problems;
  readonly #known: Set<string>;

  private constructor(main: Document, files: TableFiles) {
    this.#main = main;
    this.#files = files;
    this.#advice = new Problems(main.file, main.located);
    this.#known = new Set([resolve(main.file)]);
  }

  /**
   * What is wrong with the table itself is added to its problems.
   *
   * @param hasFolder whether the table is in a file, where paths begin
   */
  static async read(
    main: Document,
    files: TableFiles,
    hasFolder: boolean,
  ): Promise<Included> {
    const included = new Included(main, files);
    for (const [index, written] of includesOf(main).entries()) {
      const key = ["include", index];
      if (hasFolder) await included.#readAll(written, key);
      else main.problems.add(key, NO_FOLDER);
    }
    return included;
  }

  /** Patterns that match nothing. */
  get advice(): readonly Problem[] {
    return this.#advice.all;
  }

  async #readAll(written: string, key: KeyPath): Promise<void> {
    const { file, problems } = this.#main;
    const path = isAbsolute(written) ? written : join(dirname(file), written);
    if (/[*?]/.test(dirname(written))) {
      return problems.add(key, "has a * or a ? before its last part");
    }
    if (!isPattern(path)) return await this.#readOne(path, key);
    try {
      const matches = await this.#files.matching(path, file);
      if (matches.length === 0) {
        this.#advice.add(key, `${path} matches no file`);
      }
      for (const match of matches) await this.#readOne(match, key);
    } catch (error) {
      this.#fail(error, dirname(path), key);
    }
  }

  async #readOne(path: string, key: KeyPath): Promise<void> {
    if (this.#known.has(resolve(path))) return;
    this.#known.add(resolve(path));
    try {
      const text = await this.#files.read(path);
      this.documents.push(readDocument(text, path));
    } catch (error) {
      this.#fail(error, path, key);
    }
  }

  #fail(error: unknown, path: string, key: KeyPath): void {
    if (error instanceof TableError) this.errors.push(...error.problems);
    else {
      const message = `${path} cannot be read: ${whyUnreadable(error)}`;
      this.#main.problems.add(key, message);
    }
  }
}
