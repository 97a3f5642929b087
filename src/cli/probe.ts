/** A monitoring plugin by the guidelines that Nagios, Icinga and others share. */
import { connect, type ConnectOptions, list } from "../connect.ts";
import { codeOf, type ErrorCode, messageOf, TcpmuxError } from "../errors.ts";
import { withDeadline } from "../transport/attempt.ts";
import { getEnv } from "../transport/permission.ts";
import type { Conn } from "../transport/transport.ts";
import { HELP } from "../wire.ts";
import { familyOf } from "./client.ts";
import { explain } from "./exit.ts";
import { type CommandLine, readCommandLine, usage } from "./flags.ts";
import {
  jsonOf,
  lineOf,
  type Verdict,
  visible,
  worst,
} from "./probe_report.ts";
import { PROBE } from "./spec/clients.ts";
import { ESCAPE_FORMS, PROBE_STATES } from "./spec/parts.ts";
import { endBy, printError, printOut } from "./system.ts";

/** Milliseconds for one service: what monitoring usually allows a plugin. */
const TIMEOUT = 10_000;

/**
 * Milliseconds in which a service that was opened must not end without a byte.
 * A server that accepts and closes, such as the published port of a container
 * that is not up, does so at once.
 */
const MOMENT = 200;

/** Bytes of an answer that are searched at the most. */
const MAX_ANSWER = 64 * 1024;

const encoder = new TextEncoder();

const CONTROLS: Readonly<Record<string, string>> = {
  r: "\r",
  n: "\n",
  t: "\t",
  "\\": "\\",
};

/** What is asked of each service. Times are milliseconds. */
interface Probe {
  readonly server: string;
  readonly warning: number | undefined;
  readonly critical: number | undefined;
  /** 0 for no limit. */
  readonly timeout: number;
  readonly send: Uint8Array | undefined;
  readonly expect: Uint8Array | undefined;
  readonly family: 4 | 6 | undefined;
}

/**
 * `tcpmux probe`: one line and an exit code that monitoring understands. A
 * mistake on the command line is such a state too.
 */
export async function probeCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { text, code } = await probeAll(args);
  try {
    printOut(text);
    return code;
  } catch (error) {
    printError(explain(error));
    return PROBE_STATES.UNKNOWN.code;
  }
}

async function probeAll(
  args: readonly string[],
): Promise<{ text: string; code: number }> {
  const json = args.includes("--json");
  try {
    const line = readCommandLine(args, PROBE, getEnv);
    const probe = readProbe(line);
    const names = new Set(line.positionals.slice(1));
    if (names.size === 0) names.add(HELP);
    const verdicts = await Promise.all(
      [...names].map((name) => judge(probe, name)),
    );
    return {
      text: json ? jsonOf(verdicts) : lineOf(verdicts, probe),
      code: PROBE_STATES[worst(verdicts)].code,
    };
  } catch (error) {
    const sentence = messageOf(error);
    return {
      text: json ? jsonOf([], sentence) : lineOf([], {}, sentence),
      code: PROBE_STATES.UNKNOWN.code,
    };
  }
}

function readProbe(
  { flags, positionals: [server, ...services] }: CommandLine<typeof PROBE>,
): Probe {
  const { warning, critical } = flags;
  if (warning !== undefined && critical !== undefined && warning > critical) {
    throw usage("--warning is over --critical and would never be reached");
  }
  const [send, expect] = (["send", "expect"] as const).map((name) => {
    const text = flags[name];
    if (text !== undefined && services.length === 0) {
      throw usage(`--${name} needs a service to talk to`);
    }
    return text === undefined ? undefined : readEscapes(text);
  });
  return {
    server,
    warning,
    critical,
    timeout: flags.timeout ?? TIMEOUT,
    send,
    expect,
    family: familyOf(flags),
  };
}

/**
 * The bytes that a text means in which `\r \n \t \\` and `\xHH` stand for one
 * byte each.
 *
 * @throws {TcpmuxError} code `usage`, for any other backslash
 */
export function readEscapes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/\\x[0-9a-fA-F]{2}|\\[^]?|[^\\]+/g)) {
    if (!part.startsWith("\\")) bytes.push(...encoder.encode(part));
    else if (part.length === 4) bytes.push(parseInt(part.slice(2), 16));
    else {
      const control = CONTROLS[part.slice(1)];
      if (control === undefined) {
        throw new TcpmuxError(
          "usage",
          `${JSON.stringify(text)} holds ${part}, but escapes are ` +
            ESCAPE_FORMS,
        );
      }
      bytes.push(control.charCodeAt(0));
    }
  }
  return Uint8Array.from(bytes);
}

/** What a service has said so far behind its `+`, one character a byte. */
interface Heard {
  text: string;
}

async function judge(probe: Probe, name: string): Promise<Verdict> {
  const begin = performance.now();
  const heard: Heard = { text: "" };
  let answer: Answer;
  try {
    answer = await withDeadline(
      probe.server,
      { timeout: probe.timeout },
      (signal) => ask(probe, name, heard, signal),
    );
  } catch (error) {
    const said = heard.text === "" ? "" : `, but said ${excerpt(heard.text)}`;
    return {
      name,
      status: stateAfter(error),
      seconds: null,
      message: null,
      error: visible(messageOf(error) + said),
    };
  }
  const time = answer.at - begin;
  const over = (limit: number | undefined) =>
    limit !== undefined && time > limit;
  const status = over(probe.critical)
    ? "CRITICAL"
    : over(probe.warning) || answer.hasEnded
    ? "WARNING"
    : "OK";
  const { message, hasEnded } = answer;
  const error = hasEnded ? "opened, but ended at once without a byte" : null;
  return { name, status, seconds: time / 1000, message, error };
}

interface Answer {
  /** The text behind the `+`, or how many names HELP gave. */
  readonly message: string;
  /** When it came, by `performance.now()`. */
  readonly at: number;
  /** Whether the service has ended at once without a byte. */
  readonly hasEnded: boolean;
}

async function ask(
  probe: Probe,
  name: string,
  heard: Heard,
  signal: AbortSignal,
): Promise<Answer> {
  const { server, send, expect, family } = probe;
  // One deadline, which the caller keeps, is for all of this.
  const options: ConnectOptions = {
    signal,
    connectTimeout: 0,
    replyTimeout: 0,
    ...(family === undefined ? {} : { family }),
  };
  if (name.toUpperCase() === HELP) {
    const { length } = await list(server, options);
    if (length === 0) {
      throw new TcpmuxError("protocol", `${server} names no service`);
    }
    const message = length === 1 ? "1 service" : `${length} services`;
    return { message, at: performance.now(), hasEnded: false };
  }
  const conn = await connect(server, name, options);
  signal.addEventListener("abort", () => conn.abort(), { once: true });
  try {
    if (send !== undefined) await conn.write(send);
    if (expect !== undefined) await hear(conn, characters(expect), heard);
    const at = performance.now();
    const isIdle = send === undefined && expect === undefined;
    const hasEnded = isIdle && await endsAtOnce(conn);
    return { message: conn.message, at, hasEnded };
  } finally {
    conn.close();
  }
}

/** Whether the service ends, or breaks off, before it has said anything. */
async function endsAtOnce(conn: Conn): Promise<boolean> {
  const timer = setTimeout(() => conn.interrupt(WAITED), MOMENT);
  try {
    return await conn.read() === null;
  } catch (error) {
    return error !== WAITED;
  } finally {
    clearTimeout(timer);
  }
}

const WAITED = new TcpmuxError("cancelled", "it goes on");

/** Reads until the bytes so far hold the text. */
async function hear(conn: Conn, wanted: string, heard: Heard): Promise<void> {
  const fail = (how: string): never => {
    throw new TcpmuxError("protocol", `${how} without ${excerpt(wanted)}`);
  };
  while (!heard.text.includes(wanted)) {
    const room = MAX_ANSWER - heard.text.length;
    if (room === 0) fail(`the answer goes on after ${MAX_ANSWER} bytes`);
    const bytes = await conn.read();
    if (bytes === null) return fail("the answer ends");
    heard.text += characters(bytes.subarray(0, room));
  }
}

function excerpt(text: string): string {
  return `"${text.slice(0, 100)}${text.length > 100 ? "..." : ""}"`;
}

/** The bytes as text, one character a byte. */
function characters(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** What says nothing of the server, but that no probe could be made. */
const NOT_PROBED: readonly ErrorCode[] = [
  "failed",
  "permission_denied",
  "too_many_files",
  "unsupported",
  "usage",
];

function stateAfter(error: unknown): "UNKNOWN" | "CRITICAL" {
  return NOT_PROBED.includes(codeOf(error)) ? "UNKNOWN" : "CRITICAL";
}
