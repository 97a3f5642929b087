/** The levels and the shape of what the server has to say. */
import { getLogger } from "@logtape/logtape";
import type { LogLevel } from "./table/table.ts";

export type LogFields = Readonly<
  Record<string, string | number | boolean | undefined>
>;

/** Where log lines go. Passed in; nothing logs by any other way. */
export type Log = (
  level: LogLevel,
  message: string,
  fields?: LogFields,
) => void;

/**
 * The same log, but what it throws goes to standard error, the first time:
 * what is under way must not break off because it cannot be told.
 */
export function steady(log: Log): Log {
  let hasFailed = false;
  return (level, message, fields) => {
    try {
      log(level, message, fields);
    } catch (error) {
      if (hasFailed) return;
      hasFailed = true;
      console.error("tcpmux: the log failed:", error);
    }
  };
}

/** The log of LogTape's category `tcpmux`, which a program may direct. */
export function tapeLog(): Log {
  const logger = getLogger("tcpmux");
  return (level, message, fields = {}) => logger[level](message, fields);
}
