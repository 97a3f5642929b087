import type { LogLine } from "../../log.ts";
import type { Output } from "../../transport/system.ts";

/**
 * How a line is written, where that is not as its format has it.
 *
 * @param body what the line says in its format, without its time
 */
export type Frame = (line: LogLine, body: string) => string;

/** What the lines of a log are written to, where that is not standard error. */
export interface LogSink extends Output {
  /** Called when a write has failed, once until one succeeds. */
  failed(error: unknown): void;
  /** Each write takes one line. */
  readonly isLinewise?: boolean;
  readonly frame?: Frame;
  /** Opens it anew, under the name that it was opened by. */
  reopen?(): void;
}

/** A write that took some of its bytes. */
export class PartlyWritten extends Error {
  /** How many bytes were taken. */
  readonly taken: number;

  constructor(taken: number, cause: unknown) {
    super("partly written", { cause });
    this.taken = taken;
  }
}

/** Says on standard error, in one sentence, what is wrong with the log. */
export type SayProblem = (problem: string) => void;
