/** How the program ends: its error message and its exit code. */
import { codeOf, type ErrorCode, messageOf } from "../errors.ts";
import { TableError } from "../table/problem.ts";
import { EXIT_CODES } from "./spec/parts.ts";
import { printError } from "./system.ts";

/** The exit codes by their names. */
export const EXIT = Object.fromEntries(
  Object.entries(EXIT_CODES).map(([name, { code }]) => [name, code]),
) as Readonly<Record<keyof typeof EXIT_CODES, number>>;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  usage: EXIT.usage,
  refused: EXIT.refused,
  busy: EXIT.busy,
  host_not_found: EXIT.noHost,
  protocol: EXIT.protocol,
  permission_denied: EXIT.permission,
  invalid_table: EXIT.config,
  timed_out: EXIT.timedOut,
};

/** What the program exits with after this error. */
export function exitCodeOf(error: unknown): number {
  return BY_CODE[codeOf(error)] ?? EXIT.broken;
}

/** Says on standard error why the program ends. */
export function report(error: unknown): void {
  if (error instanceof TableError) {
    printError(`${error.message}\n`);
    printError(
      `tcpmux: ${plural(error.problems.length, "error")} in the table, ` +
        "so nothing was started\n",
    );
  } else printError(`tcpmux: ${messageOf(error)}\n`);
}

/** "1 error", "2 errors". */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
