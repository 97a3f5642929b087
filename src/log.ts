/** What the server logs: levels, fields, and how a line is written. */

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

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

/** One line of the log, before it is written in one format or the other. */
export interface LogLine {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** `TIME LEVEL message key=value…`, values quoted where they need it. */
export function textLine({ time, level, message, fields }: LogLine): string {
  let line = `${time.toISOString()} ${level.padEnd(5)} ${message}`;
  for (const key in fields) {
    const value = fields[key];
    if (value === undefined || value === "") continue;
    line += ` ${key}=${typeof value === "string" ? textValue(value) : value}`;
  }
  return `${line}\n`;
}

/** One JSON object. */
export function jsonLine({ time, level, message, fields }: LogLine): string {
  const object = { time: time.toISOString(), level, message, ...fields };
  return `${escaped(JSON.stringify(object))}\n`;
}

function textValue(text: string): string {
  return /^[\x21\x23-\x7e]+$/.test(text) ? text : escaped(JSON.stringify(text));
}

/** What a terminal obeys, reorders or does not show, as JSON's escapes. */
export function escaped(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu,
    (char) => char.split("").map(escape).join(""),
  );
}

function escape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
