/** The files of an old configuration, and those that they name. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Place, Report } from "./report.ts";

/** A file as text. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** Where files are read from: the system, or what a test has written. */
export interface Files {
  /** Undefined for what is no file that can be read. */
  read(path: string): string | undefined;
  /** The names in a folder, in C's order; undefined for what is none. */
  names(folder: string): readonly string[] | undefined;
}

/** More than any configuration has; the way out of files that name each other. */
const MOST_FILES = 2000;

/** The most that is read of one file. */
const MOST_BYTES = 16 * 2 ** 20;

export const SYSTEM_FILES: Files = {
  read(path) {
    try {
      const found = statSync(path);
      if (!found.isFile() || found.size > MOST_BYTES) return undefined;
      return decodedText(readFileSync(path));
    } catch {
      return undefined; // missing, or not for us
    }
  },
  names(folder) {
    try {
      return readdirSync(folder).toSorted();
    } catch {
      return undefined;
    }
  },
};

/** UTF-8, or what was written before it, a character for each byte. */
export function decodedText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** One line with its number, without what ends it. */
export interface Line {
  readonly place: Place;
  readonly text: string;
}

export function linesOf({ file, text }: Source): Line[] {
  return text.split("\n").map((line, index) => ({
    place: { file, line: index + 1 },
    text: line.replace(/\r$/, ""),
  }));
}

/** The words of a line, by the blanks that C knows and no others. */
export function wordsIn(text: string): string[] {
  return text.match(/[^ \t\n\v\f\r]+/g) ?? [];
}

/** Reads the files that files name, each of them once. */
export class Includes {
  /** Whether a file that was named could not be read. */
  areMissing = false;
  readonly #files: Files;
  readonly #report: Report;
  readonly #seen = new Set<string>();

  constructor(files: Files, report: Report) {
    this.#files = files;
    this.#report = report;
  }

  /** One file; undefined, and in the report, where it cannot be read. */
  file(path: string, place: Place): Source | undefined {
    const file = beside(place.file, path);
    if (this.#seen.has(file) || this.#seen.size >= MOST_FILES) {
      this.#drop(place, `${path} is read already`);
      return undefined;
    }
    const text = this.#files.read(file);
    if (text === undefined) {
      this.areMissing = true;
      this.#drop(place, `${path} cannot be read`);
      return undefined;
    }
    this.#seen.add(file);
    return { file, text };
  }

  /** The files of a folder whose names are wanted. */
  folder(
    path: string,
    place: Place,
    isWanted: (name: string) => boolean,
  ): Source[] {
    const folder = beside(place.file, path);
    const names = this.#files.names(folder);
    if (names === undefined) {
      this.areMissing = true;
      this.#drop(place, `the folder ${path} cannot be read`);
      return [];
    }
    return names.filter(isWanted)
      .flatMap((name) => this.file(join(folder, name), place) ?? []);
  }

  /** The files that a pattern with `*` and `?` in its last part names. */
  matching(pattern: string, place: Place): Source[] {
    const name = basename(pattern);
    if (!/[*?[]/.test(name)) return [this.file(pattern, place) ?? []].flat();
    const parts = name.split(/([*?])/).map((part) =>
      part === "*" ? ".*" : part === "?" ? "." : part.replaceAll(/\W/g, "\\$&")
    );
    const wanted = new RegExp(`^(?!\\.)${parts.join("")}$`, "s");
    return this.folder(dirname(pattern), place, (name) => wanted.test(name));
  }

  #drop(place: Place, why: string): void {
    this.#report.add("dropped", place, why);
  }
}

function beside(file: string, path: string): string {
  return resolve(dirname(file), path);
}

/** A port, by its number or its name in /etc/services. */
export function portOf(word: string, files: Files): number | undefined {
  if (/^\d{1,5}$/.test(word)) {
    const port = Number(word);
    return port > 0 && port < 65536 ? port : undefined;
  }
  for (const line of (files.read("/etc/services") ?? "").split("\n")) {
    const [name, port = "", ...aliases] = line.replace(/#.*/, "").trim()
      .split(/\s+/);
    if (!port.endsWith("/tcp")) continue;
    if (name === word || aliases.includes(word)) return parseInt(port, 10);
  }
}
