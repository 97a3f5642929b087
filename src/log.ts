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

/** The log of LogTape's category `tcpmux`, which a program may direct. */
export function tapeLog(): Log {
  const logger = getLogger("tcpmux");
  return (level, message, fields = {}) => logger[level](message, fields);
}
