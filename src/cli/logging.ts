import { jsonLine, type Log, LOG_LEVELS, textLine } from "../log.ts";
import type { LogSettings } from "../table/table.ts";
import type { ErrorBatch } from "./system.ts";

/** The log of the command line goes to standard error. */
export function startLog(
  { level, format }: LogSettings,
  output: ErrorBatch,
): Log {
  const lowest = LOG_LEVELS.indexOf(level);
  const write = format === "json" ? jsonLine : textLine;
  return (level, message, fields = {}) => {
    if (LOG_LEVELS.indexOf(level) < lowest) return;
    output.print(write({ time: new Date(), level, message, fields }));
  };
}
