/** Messages of syslog, as RFC 5424, RFC 3164 and RFC 6587 have them. */
import { hostname } from "node:os";
import { escaped, type LogLine, SEVERITIES } from "../../log.ts";
import { permitted } from "../../transport/permission.ts";
import type { Frame } from "./log_sink.ts";

export type SyslogFormat = "rfc5424" | "rfc3164";

/** How messages are told apart: RFC 6587, or one in each datagram. */
export type Framing = "octets" | "lines" | "datagrams";

/** The facility of daemons, in the bits where it stands. */
const DAEMON = 3 << 3;

/** The number that RFC 5612 has for examples: tcpmux has none of its own. */
const FIELDS = "tcpmux@32473";

/** The most bytes of a message: what rsyslog takes by default. */
const MOST_BYTES = 8 * 1024;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** How lines become messages. */
export function syslogFrame(format: SyslogFormat, framing: Framing): Frame {
  const host = permitted("sys") ? hostname() : "-";
  const asMessage: Frame = format === "rfc3164"
    ? rfc3164
    : (line, body) => rfc5424(line, body, host);
  return (line, body) => {
    const message = asMessage(line, body);
    switch (framing) {
      case "octets":
        return `${Buffer.byteLength(message)} ${message}`;
      case "lines":
        return `${message}\n`;
      case "datagrams":
        return message;
    }
  };
}

/** Without the fields' structured data where the message is too long with it. */
function rfc5424(line: LogLine, body: string, host: string): string {
  const { time, level, message } = line;
  const id = /^[\x21-\x7e]{1,32}$/.test(message) ? message : "-";
  const head = `<${DAEMON | SEVERITIES[level]}>1 ${time.toISOString()} ` +
    `${host} tcpmux ${process.pid} ${id}`;
  const whole = `${head} ${structured(line)} ${body}`;
  return isShort(whole) ? whole : cut(`${head} - ${body}`);
}

/** What syslog(3) writes to /dev/log: RFC 3164 without the host's name. */
function rfc3164({ time, level }: LogLine, body: string): string {
  const two = (number: number, filler = "0") =>
    String(number).padStart(2, filler);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((number) => two(number)).join(":");
  const date = `${MONTHS[time.getMonth()]} ${two(time.getDate(), " ")}`;
  const priority = DAEMON | SEVERITIES[level];
  return cut(`<${priority}>${date} ${clock} tcpmux[${process.pid}]: ${body}`);
}

/** `[ID name="value"…]`, or `-` where there is no field. */
function structured({ fields }: LogLine): string {
  let data = "";
  for (const key in fields) {
    const value = fields[key];
    if (value === undefined || value === "") continue;
    const text = escaped(String(value)).replaceAll(/["\\\]]/g, "\\$&");
    data += ` ${key}="${text}"`;
  }
  return data === "" ? "-" : `[${FIELDS}${data}]`;
}

function isShort(text: string): boolean {
  return text.length * 3 <= MOST_BYTES || Buffer.byteLength(text) <= MOST_BYTES;
}

function cut(text: string): string {
  if (isShort(text)) return text;
  const bytes = Buffer.from(text).subarray(0, MOST_BYTES);
  return new TextDecoder().decode(bytes, { stream: true });
}
