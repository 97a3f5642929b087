/** The log where standard error leads to systemd's journal: sd-daemon(3). */
import { fstatSync } from "node:fs";
import type { LogLevel, LogLine } from "../../log.ts";
import type { GetEnv } from "../../transport/permission.ts";

/** The priorities of syslog(3). */
const PRIORITIES: Readonly<Record<LogLevel, number>> = {
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
};

/** Whether standard error is the stream that systemd has made for it. */
export function isJournal(
  getEnv: GetEnv,
): boolean {
  const stream = getEnv("JOURNAL_STREAM");
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false; // it is closed
  }
}

/**
 * With its priority, and without a time, which the journal has itself.
 *
 * @param body what the line says in the format of the log
 */
export function journalLine({ level }: LogLine, body: string): string {
  return `<${PRIORITIES[level]}>${body}`;
}
