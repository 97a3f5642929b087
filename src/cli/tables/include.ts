/** The files that a table includes. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { type Document, readDocument } from "../../table/files/document.ts";
import { includesOf } from "../../table/parse.ts";
import {
  type KeyPath,
  type Problem,
  Problems,
  TableError,
} from "../../table/problem.ts";
import { isPattern, type TableFiles, whyUnreadable } from "./files.ts";

const NO_FOLDER =
  "begins nowhere: only a table that is read from a file can include others";

/** Reads the files that a table includes, each once. */
export class Included {
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
