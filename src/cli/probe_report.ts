/** What a probe says: the plugin's one line, or JSON. */
import { visibleBesideBars } from "./escapes.ts";

/** The states of monitoring, each with its exit code. */
export const STATES = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;
export type State = keyof typeof STATES;

/** Worst first, as the official plugins rank them. */
const WORST: readonly State[] = ["CRITICAL", "WARNING", "UNKNOWN", "OK"];

/** What was found of one service. */
export interface Verdict {
  readonly name: string;
  readonly status: State;
  /** Null where no answer came. */
  readonly seconds: number | null;
  /** The server's words behind the `+`. */
  readonly message: string | null;
  readonly error: string | null;
}

/** What a time was held against, in milliseconds. */
export interface Limits {
  readonly warning?: number | undefined;
  readonly critical?: number | undefined;
  /** 0 for none. */
  readonly timeout?: number;
}

/** Characters of one sentence; monitoring cuts long lines anywhere. */
const MAX_SENTENCE = 400;

/** The state of them all; of none it is unknown. */
export function worst(verdicts: readonly Verdict[]): State {
  return WORST.find((state) =>
    verdicts.some(({ status }) => status === state)
  ) ?? "UNKNOWN";
}

/**
 * The line that a plugin prints: a state, words, and behind `|` the times.
 *
 * @param sentence what there is to say where nothing was probed
 */
export function lineOf(
  verdicts: readonly Verdict[],
  limits: Limits,
  sentence?: string,
): string {
  const words = sentence === undefined
    ? grouped(verdicts, limits)
    : [sentence.slice(0, MAX_SENTENCE)];
  const text = visibleBesideBars(words.join("; "));
  const times = verdicts.map((verdict) => perfdata(verdict, limits)).join(" ");
  const state = worst(verdicts);
  return `TCPMUX ${state} - ${text}${times === "" ? "" : ` | ${times}`}\n`;
}

/** The worst first; what is wrong with several alike is said once. */
function grouped(verdicts: readonly Verdict[], limits: Limits): string[] {
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
  { name, status, seconds, message }: Verdict,
  limits: Limits,
): string {
  const what = name.toUpperCase() === "HELP"
    ? `HELP names ${message}`
    : `${name} answered`;
  const limit = status === "CRITICAL"
    ? limits.critical
    : status === "WARNING"
    ? limits.warning
    : undefined;
  const over = limit === undefined ? "" : `, over ${limit / 1000} s`;
  return `${what} in ${seconds!.toFixed(3)} s${over}`;
}

/** `'label'=value;warning;critical;min;max`; a value of U is not known. */
function perfdata({ name, seconds }: Verdict, limits: Limits): string {
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
  verdicts: readonly Verdict[],
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
