import {
  configureSync,
  type LogLevel as TapeLevel,
  type LogRecord,
} from "@logtape/logtape";
import { type Log, tapeLog } from "../log.ts";
import { jsonLine, textLine } from "../log_format.ts";
import type { LogLevel, LogSettings } from "../table/table.ts";
import { printError } from "./system.ts";

const TO_TAPE: Record<LogLevel, TapeLevel> = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
};

/** Sends the log to standard error; called again, it changes how. */
export function startLog({ level, format }: LogSettings): Log {
  const write = format === "json" ? jsonLine : textLine;
  configureSync({
    reset: true,
    sinks: { stderr: (record) => printError(write(lineOf(record))) },
    loggers: [
      { category: "tcpmux", sinks: ["stderr"], lowestLevel: TO_TAPE[level] },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  return tapeLog();
}

function lineOf(record: LogRecord) {
  return {
    time: new Date(record.timestamp),
    level: record.level === "warning" ? "warn" : record.level as LogLevel,
    message: record.message.join(""),
    fields: record.properties as Record<string, string>,
  };
}
