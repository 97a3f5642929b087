import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectOptions } from "../connect.ts";
import { DURATION_FORM, readDuration } from "../units.ts";
import { codeOf, type ErrorCode } from "../errors.ts";
import { type Flags, usage } from "./flags.ts";

/** The flags that all client commands have. */
export const CLIENT_FLAGS = {
  values: ["timeout", "wait"],
  switches: ["ipv4", "ipv6"],
  short: { t: "timeout", w: "wait", "4": "ipv4", "6": "ipv6" },
};

/** The lines of `--help` about them. */
export const CLIENT_FLAGS_HELP = `\
  -t, --timeout TIME     for the connection and again for the reply
                         (default: 10s and 30s)
  -w, --wait TIME        try again until the server is up, for that long
  -4, --ipv4             only over IPv4
  -6, --ipv6             only over IPv6`;

/** @throws {TcpmuxError} code `usage` */
export function clientOptions(flags: Flags): ConnectOptions {
  const timeout = durationFlag(flags, "timeout");
  const family = familyOf(flags);
  return {
    ...(timeout === undefined
      ? {}
      : { connectTimeout: timeout, replyTimeout: timeout }),
    ...(family === undefined ? {} : { family }),
  };
}

/** What `--ipv4` or `--ipv6` says. @throws {TcpmuxError} code `usage` */
export function familyOf(flags: Flags): 4 | 6 | undefined {
  if (flags.on("ipv4") && flags.on("ipv6")) {
    throw usage("--ipv4 and --ipv6 leave no address");
  }
  return flags.on("ipv4") ? 4 : flags.on("ipv6") ? 6 : undefined;
}

/** Milliseconds. @throws {TcpmuxError} code `usage` */
export function durationFlag(flags: Flags, name: string): number | undefined {
  const text = flags.value(name);
  if (text === undefined) return undefined;
  const duration = readDuration(text);
  if (duration !== undefined) return duration;
  throw usage(`--${name} is ${JSON.stringify(text)}, but is ${DURATION_FORM}`);
}

/** What may be over in a moment, when a server is being started. */
const NOT_YET: readonly ErrorCode[] = [
  "busy",
  "connection_refused",
  "connection_reset",
  "host_not_found",
  "not_found",
  "timed_out",
  "unreachable",
];

/** Tries until it works, for `--wait` at the most. */
export async function withWait<T>(
  flags: Flags,
  attempt: () => Promise<T>,
): Promise<T> {
  const end = performance.now() + (durationFlag(flags, "wait") ?? 0);
  for (let pause = 100;; pause = Math.min(2000, 2 * pause)) {
    try {
      return await attempt();
    } catch (error) {
      const left = end - performance.now();
      if (!NOT_YET.includes(codeOf(error)) || left <= 0) throw error;
      await sleep(Math.min(pause, left));
    }
  }
}
