/** Whether services of a TCPMUX server answer, and how fast. */
import { connect, type ConnectOptions, nameOf } from "../connect.ts";
import type { Endpoint, TlsFacts } from "../endpoint.ts";
import { codeOf, type ErrorCode, messageOf, TcpmuxError } from "../errors.ts";
import { visible } from "../log.ts";
import { withDeadline } from "../transport/attempt.ts";
import { type Duration, millisecondsOf } from "../units.ts";
import { HELP } from "../wire.ts";
import {
  characters,
  endsAtOnce,
  excerpt,
  hear,
  type Heard,
} from "./answers.ts";
import { listing } from "./list.ts";

/** Milliseconds for one service: what monitoring usually allows a plugin. */
export const PROBE_TIMEOUT = 10_000;

/**
 * Milliseconds before the end of a certificate from which on it is a warning:
 * two weeks.
 */
export const PROBE_EXPIRY = 14 * 24 * 3600 * 1000;

/** The state of a service, by the words of monitoring plugins. */
export type ProbeStatus = "OK" | "WARNING" | "CRITICAL" | "UNKNOWN";

/** Worst first, as the official plugins rank them. */
export const WORST = ["CRITICAL", "WARNING", "UNKNOWN", "OK"] as const;

/** What {@linkcode probe} has found of one service. */
export interface ProbedService {
  /** The name that it was asked for by; `HELP` for the list. */
  readonly name: string;
  /** Its state. */
  readonly status: ProbeStatus;
  /** From the beginning to the answer; null where none came. */
  readonly seconds: number | null;
  /** The server's words behind the `+`; null where no answer came. */
  readonly message: string | null;
  /** What is wrong, in printable ASCII; null for nothing. */
  readonly error: string | null;
  /** What TLS knows of the server; absent without TLS. */
  readonly tls?: TlsFacts;
}

/** What {@linkcode probe} has found. */
export interface ProbeResult {
  /** The worst state of them all. */
  readonly status: ProbeStatus;
  /** Each service once, in the order in which they were named. */
  readonly services: readonly ProbedService[];
}

/** What {@linkcode probe} asks of each service. */
export interface ProbeOptions
  extends Pick<ConnectOptions, "family" | "tls" | "transport"> {
  /**
   * An answer that takes longer is a warning: milliseconds, or `"500ms"`.
   * @default none
   */
  warning?: Duration | undefined;
  /**
   * An answer that takes longer is critical: milliseconds, or `"2s"`.
   * @default none
   */
  critical?: Duration | undefined;
  /**
   * A certificate of the server that ends within this time is a warning:
   * milliseconds, or `"72h"`; 0 for no warning.
   * @default two weeks
   */
  expiry?: Duration | undefined;
  /**
   * The time for one service: milliseconds, or `"5s"`; 0 for no limit.
   * @default "10s"
   */
  timeout?: Duration | undefined;
  /**
   * What to send to the service once it has been opened; text as UTF-8.
   * @default none
   */
  send?: string | Uint8Array | undefined;
  /**
   * What the first 64 KiB of its answer must hold; text as UTF-8.
   * @default nothing; but a service that ends at once is a warning then
   */
  expect?: string | Uint8Array | undefined;
}

/** The options of one probe, read. Times are milliseconds. */
interface Asked extends Pick<ProbeOptions, "family" | "tls" | "transport"> {
  readonly server: string | Endpoint;
  readonly expiry: number;
  readonly warning: number | undefined;
  readonly critical: number | undefined;
  readonly timeout: number;
  readonly send: Uint8Array | undefined;
  readonly expect: Uint8Array | undefined;
}

/**
 * Asks whether services answer, as `tcpmux probe` does for monitoring. A server
 * that does not answer is part of the result, and not an error of this function.
 *
 * @param server as for `connect`
 * @param services their names; without any, the server is asked for its list
 * @returns what was found of each, and the worst of it
 * @throws {TypeError} for an option that is no duration, or `send` or `expect`
 * without a service
 * @throws {RangeError} where `warning` is over `critical`
 *
 * @example
 * ```ts
 * import { probe, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { echo: { builtin: "echo" } },
 * });
 * const { status, services } = await probe(server.addresses[0]!, ["echo"], {
 *   warning: "500ms",
 *   send: "ping",
 *   expect: "ping",
 * });
 * console.log(status, services[0]!.seconds); // OK 0.002
 * await server.close();
 * ```
 */
export async function probe(
  server: string | Endpoint,
  services: readonly string[] = [],
  options: ProbeOptions = {},
): Promise<ProbeResult> {
  const { warning, critical, timeout = PROBE_TIMEOUT, send, expect } = options;
  const { expiry = PROBE_EXPIRY } = options;
  const asked: Asked = {
    server,
    warning: limitOf("warning", warning),
    critical: limitOf("critical", critical),
    expiry: millisecondsOf("expiry", expiry),
    timeout: millisecondsOf("timeout", timeout),
    send: encoded(send),
    expect: encoded(expect),
    family: options.family,
    tls: options.tls,
    transport: options.transport,
  };
  if ((asked.warning ?? 0) > (asked.critical ?? Infinity)) {
    throw new RangeError("warning must not be longer than critical");
  }
  if (services.length === 0 && (send ?? expect) !== undefined) {
    throw new TypeError("send and expect need a service");
  }
  const names = new Set(services.length === 0 ? [HELP] : services);
  const judging = [...names].map((name) => judge(asked, name));
  const verdicts = await Promise.all(judging);
  return { status: worst(verdicts), services: verdicts };
}

/** The state of them all; of none it is unknown. */
export function worst(services: readonly ProbedService[]): ProbeStatus {
  return WORST.find((status) =>
    services.some((service) => service.status === status)
  ) ?? "UNKNOWN";
}

function limitOf(option: string, value: Duration | undefined) {
  return value === undefined ? undefined : millisecondsOf(option, value);
}

function encoded(text: string | Uint8Array | undefined) {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

async function judge(probe: Asked, name: string): Promise<ProbedService> {
  const begin = performance.now();
  const heard: Heard = { text: "" };
  let answer: Answer;
  try {
    answer = await withDeadline(
      nameOf(probe.server),
      { timeout: probe.timeout },
      (signal) => ask(probe, name, heard, signal),
    );
  } catch (error) {
    const said = heard.text === ""
      ? ""
      : `, after it sent ${excerpt(heard.text)}`;
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
  const { message, hasEnded, tls } = answer;
  const isCritical = over(probe.critical);
  const wrong = hasEnded
    ? "opened, but closed at once without sending a byte"
    : whyExpiring(tls, probe.expiry);
  const status = isCritical
    ? "CRITICAL"
    : over(probe.warning) || wrong !== undefined
    ? "WARNING"
    : "OK";
  const error = isCritical && !hasEnded ? null : wrong ?? null;
  const found = { name, status, seconds: time / 1000, message, error } as const;
  return tls === undefined ? found : { ...found, tls };
}

/** Undefined for a certificate that is good for a while. */
function whyExpiring(
  tls: TlsFacts | undefined,
  expiry: number,
): string | undefined {
  if (tls?.server === undefined || expiry === 0) return undefined;
  const { subject, expires } = tls.server;
  const left = expires.getTime() - Date.now();
  if (left > expiry) return undefined;
  const day = expires.toISOString().slice(0, 10);
  return left < 0
    ? `the certificate of the server (${subject}) has expired on ${day}`
    : `the certificate of the server (${subject}) ends on ${day}, in ` +
      `${Math.floor(left / (24 * 3600 * 1000))} days`;
}

interface Answer {
  /** The text behind the `+`, or how many names HELP gave. */
  readonly message: string;
  /** When it came, by `performance.now()`. */
  readonly at: number;
  /** Whether the service has ended at once without a byte. */
  readonly hasEnded: boolean;
  readonly tls: TlsFacts | undefined;
}

async function ask(
  probe: Asked,
  name: string,
  heard: Heard,
  signal: AbortSignal,
): Promise<Answer> {
  const { server, send, expect, family, tls, transport } = probe;
  // One deadline, which the caller keeps, is for all of this.
  const options: ConnectOptions = {
    signal,
    connectTimeout: 0,
    replyTimeout: 0,
    ...(family === undefined ? {} : { family }),
    ...(tls === undefined ? {} : { tls }),
    ...(transport === undefined ? {} : { transport }),
  };
  if (name.toUpperCase() === HELP) {
    const { names: { length }, tls } = await listing(server, options);
    if (length === 0) {
      throw new TcpmuxError("protocol", `${nameOf(server)} lists no services`);
    }
    const message = length === 1 ? "1 service" : `${length} services`;
    return { message, at: performance.now(), hasEnded: false, tls };
  }
  const conn = await connect(server, name, options);
  signal.addEventListener("abort", () => conn.abort(), { once: true });
  try {
    if (send !== undefined) await conn.write(send);
    if (expect !== undefined) await hear(conn, characters(expect), heard);
    const at = performance.now();
    const hasEnded = (send ?? expect) === undefined && await endsAtOnce(conn);
    return { message: conn.message, at, hasEnded, tls: conn.tls };
  } finally {
    conn.close();
  }
}

/** What says nothing of the server, but that no probe could be made. */
const NOT_PROBED: readonly ErrorCode[] = [
  "failed",
  "permission_denied",
  "too_many_files",
  "unsupported",
  "usage",
];

function stateAfter(error: unknown): ProbeStatus {
  return NOT_PROBED.includes(codeOf(error)) ? "UNKNOWN" : "CRITICAL";
}
