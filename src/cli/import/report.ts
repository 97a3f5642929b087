/** What became of each part of an old configuration, by file and line. */
import { escaped } from "../../log.ts";

/** Where something stands; lines count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export type Verdict = "kept" | "changed" | "dropped";

export interface Note extends Place {
  readonly verdict: Verdict;
  readonly text: string;
}

/** Collects the notes of one import. */
export class Report {
  readonly notes: Note[] = [];

  add(verdict: Verdict, { file, line }: Place, text: string): void {
    this.notes.push({ file, line, verdict, text });
  }

  /** One note a line, in the order of files and lines. */
  toString(): string {
    const files = [...new Set(this.notes.map(({ file }) => file))];
    return this.notes
      .toSorted((a, b) =>
        files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line
      )
      .map(({ file, line, verdict, text }) =>
        `${escaped(`${file}:${line}: ${verdict}: ${text}`)}\n`
      ).join("");
  }
}
