/** How the program ends: its error message and its exit code. */
import { codeOf, type ErrorCode, messageOf } from "../errors.ts";
import { TableError } from "../table/problem.ts";
import { EXIT_CODES } from "./spec/parts.ts";

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
  untrusted: EXIT.permission,
  invalid_table: EXIT.config,
  unsupported: EXIT.config,
  timed_out: EXIT.timedOut,
};

/** What the program exits with after this error. */
export function exitCodeOf(error: unknown): number {
  return BY_CODE[codeOf(error)] ?? EXIT.broken;
}

/** The lines on standard error that say why the program ends. */
export function explain(error: unknown): string {
  if (!(error instanceof TableError)) return `tcpmux: ${messageOf(error)}\n`;
  const count = plural(error.problems.length, "error");
  return `${error.message}\n` +
    `tcpmux: ${count} in the table, so nothing was started\n`;
}

/** "1 error", "2 errors". */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
