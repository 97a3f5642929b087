/** The output of a probe: the plugin's one line, or JSON. */
import { type ProbedService, WORST, worst } from "../library/probe.ts";
import type { TlsFacts } from "../endpoint.ts";
import { escapeOf } from "../log.ts";

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
export function lineOf(
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
export function jsonOf(
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
