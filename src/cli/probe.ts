/** A monitoring plugin by the guidelines that Nagios, Icinga and others share. */
import type { TlsFacts } from "../endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import {
  probe,
  PROBE_EXPIRY,
  PROBE_TIMEOUT,
  type ProbedService,
  type ProbeOptions,
  WORST,
  worst,
} from "../library/probe.ts";
import { escapeOf } from "../log.ts";
import { getEnv } from "../transport/permission.ts";
import { familyOf, namedServer } from "./client.ts";
import { explain } from "./exit.ts";
import { type FlagsOf, readCommandLine } from "./flags.ts";
import { PROBE } from "./spec/clients.ts";
import { ESCAPE_FORMS, PROBE_STATES } from "./spec/parts.ts";
import { endBy, printError, printOut } from "./system.ts";

const DAY = 24 * 3600 * 1000;

const encoder = new TextEncoder();

const CONTROLS: Readonly<Record<string, string>> = {
  r: "\r",
  n: "\n",
  t: "\t",
  "\\": "\\",
};

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
    const limits = readProbe(line.flags);
    const [word, ...words] = line.positionals;
    const { server, service, tls } = await namedServer(word, line.flags);
    const names = service === undefined ? words : [service, ...words];
    const options = { ...limits, ...tls };
    const { status, services } = await probe(server, names, options);
    return {
      text: json ? jsonOf(services) : lineOf(services, limits),
      code: PROBE_STATES[status].code,
    };
  } catch (error) {
    const sentence = messageOf(error);
    return {
      text: json ? jsonOf([], sentence) : lineOf([], {}, sentence),
      code: PROBE_STATES.UNKNOWN.code,
    };
  }
}

function readProbe(flags: FlagsOf<typeof PROBE>) {
  const bytesOf = (text: string | undefined) =>
    text === undefined ? undefined : readEscapes(text);
  return {
    warning: flags.warning,
    critical: flags.critical,
    timeout: flags.timeout ?? PROBE_TIMEOUT,
    send: bytesOf(flags.send),
    expect: bytesOf(flags.expect),
    family: familyOf(flags),
    expiry: flags["warn-expiry"] === undefined
      ? PROBE_EXPIRY
      : flags["warn-expiry"] * DAY,
  } satisfies ProbeOptions;
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
          `${JSON.stringify(text)} has the unknown escape ${part}; allowed: ` +
            ESCAPE_FORMS,
        );
      }
      bytes.push(control.charCodeAt(0));
    }
  }
  return Uint8Array.from(bytes);
}

/** What a time is compared with, in milliseconds. */
export interface ProbeLimits {
  readonly warning?: number | undefined;
  readonly critical?: number | undefined;
  /** 0 for none. */
  readonly timeout?: number | undefined;
  /** Before the end of a certificate. */
  readonly expiry?: number | undefined;
}

/** Characters of one sentence; monitoring cuts long lines anywhere. */
const MAX_SENTENCE = 400;

/**
 * The line that a plugin prints: a state, words, and behind `|` the times.
 *
 * @param sentence the words of the line where nothing was probed
 */
function lineOf(
  verdicts: readonly ProbedService[],
  limits: ProbeLimits,
  sentence?: string,
): string {
  const words = sentence === undefined
    ? grouped(verdicts, limits)
    : [sentence.slice(0, MAX_SENTENCE)];
  const text = visibleBesideBars(words.join("; "));
  const times = [
    ...verdicts.map((verdict) => perfdata(verdict, limits)),
    ...certificateData(verdicts, limits),
  ].join(" ");
  const state = worst(verdicts);
  return `TCPMUX ${state} - ${text}${times === "" ? "" : ` | ${times}`}\n`;
}

/** The worst first; what is wrong with several alike is said once. */
function grouped(
  verdicts: readonly ProbedService[],
  limits: ProbeLimits,
): string[] {
  const names = new Map<string, string[]>();
  for (const state of WORST) {
    for (const verdict of verdicts.filter(({ status }) => status === state)) {
      const { name, error } = verdict;
      if (error === null) names.set(answered(verdict, limits), []);
      else names.set(error, [...names.get(error) ?? [], name]);
    }
  }
  return [...names].map(([sentence, whose]) =>
    [...whose.length === 0 ? [] : [whose.join(", ")], sentence].join(": ")
      .slice(0, MAX_SENTENCE)
  );
}

function answered(
  { name, status, seconds, message, tls }: ProbedService,
  limits: ProbeLimits,
): string {
  const what = name.toUpperCase() === "HELP"
    ? `HELP lists ${message}`
    : `${name} answered`;
  const limit = status === "CRITICAL"
    ? limits.critical
    : status === "WARNING"
    ? limits.warning
    : undefined;
  const over = limit === undefined ? "" : `, over ${limit / 1000} s`;
  return `${what} in ${seconds!.toFixed(3)} s${over}${byTls(tls)}`;
}

function byTls(tls: TlsFacts | undefined): string {
  if (tls?.server === undefined) return "";
  const { subject, expires } = tls.server;
  return ` by ${tls.protocol} (${tls.cipher}) with ${subject}, until ` +
    expires.toISOString().slice(0, 10);
}

/** How long the server's certificate is still good; nothing without TLS. */
function certificateData(
  verdicts: readonly ProbedService[],
  { expiry = 0 }: ProbeLimits,
): string[] {
  const expires = verdicts.find(({ tls }) => tls?.server !== undefined)?.tls
    ?.server?.expires;
  if (expires === undefined) return [];
  const left = Math.floor((expires.getTime() - Date.now()) / 1000);
  return [`certificate=${left}s;${expiry / 1000}:;0:;;`];
}

/** `'label'=value;warning;critical;min;max`; a value of U is not known. */
function perfdata(
  { name, seconds }: ProbedService,
  limits: ProbeLimits,
): string {
  const label = name.replaceAll("'", "''").replace(/[=|]/g, "_");
  const value = seconds === null ? "U" : `${seconds.toFixed(3)}s`;
  const [warning, critical, most] = [
    limits.warning,
    limits.critical,
    limits.timeout || undefined,
  ].map((limit) => limit === undefined ? "" : limit / 1000);
  return `'${label}'=${value};${warning};${critical};0;${most}`;
}

/** One JSON object, on one line. */
function jsonOf(
  verdicts: readonly ProbedService[],
  sentence?: string,
): string {
  const services = verdicts.map((verdict) => ({
    ...verdict,
    seconds: verdict.seconds === null
      ? null
      : Number(verdict.seconds.toFixed(6)),
  }));
  const error = sentence === undefined ? {} : { error: sentence };
  return `${JSON.stringify({ status: worst(verdicts), services, ...error })}\n`;
}

/** The text with all that is not printable ASCII as escapes, in a line in which `|` has a meaning too. */
export function visibleBesideBars(text: string): string {
  return text.replace(/[^\x20-\x7e]|\|/gu, escapeOf);
}
