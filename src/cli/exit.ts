import { codeOf, type ErrorCode } from "../errors.ts";

/** Exit codes, after sysexits(3) where it has one. */
export const EXIT = {
  done: 0,
  usage: 64,
  noHost: 68,
  refused: 69,
  broken: 74,
  busy: 75,
  protocol: 76,
  permission: 77,
  config: 78,
  timedOut: 124,
} as const;

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
