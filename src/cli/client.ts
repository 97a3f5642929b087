/** How connect, list and probe reach a server; and list, which is little more. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectOptions } from "../connect.ts";
import type { Endpoint } from "../endpoint.ts";
import { codeOf, type ErrorCode, withCure } from "../errors.ts";
import { list } from "../library/list.ts";
import { getEnv } from "../transport/permission.ts";
import { EXIT } from "./exit.ts";
import { readCommandLine, usage } from "./flags.ts";
import {
  aliasHint,
  clientTlsOf,
  remoteOf,
  type TlsFlags,
} from "./remote/remote.ts";
import { LIST } from "./spec/clients.ts";
import { endBy, printOut } from "./system.ts";

interface FamilyFlags {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** @throws {TcpmuxError} code `usage` */
export function clientOptions(
  flags: FamilyFlags & { readonly timeout: number | undefined },
): ConnectOptions {
  const { timeout } = flags;
  const family = familyOf(flags);
  return {
    ...(timeout === undefined
      ? {}
      : { connectTimeout: timeout, replyTimeout: timeout }),
    ...(family === undefined ? {} : { family }),
  };
}

/** The family of `--ipv4` or `--ipv6`. @throws {TcpmuxError} code `usage` */
export function familyOf({ ipv4, ipv6 }: FamilyFlags): 4 | 6 | undefined {
  if (ipv4 && ipv6) throw usage("--ipv4 and --ipv6 exclude each other");
  return ipv4 ? 4 : ipv6 ? 6 : undefined;
}

/** A server as the library takes it. */
export interface NamedServer {
  readonly server: string | Endpoint;
  /** The service that a URL names. */
  readonly service: string | undefined;
  readonly tls: Pick<ConnectOptions, "tls">;
}

/** @throws {TcpmuxError} as `remoteOf` does, or where a file cannot be read */
export async function namedServer(
  word: string,
  flags: TlsFlags,
): Promise<NamedServer> {
  const remote = await remoteOf(word, flags);
  const { endpoint, service } = remote;
  const tls = await clientTlsOf(remote);
  return { server: endpoint, service, tls: tls === undefined ? {} : { tls } };
}

/** The errors that a server gives while it is being started. */
const NOT_YET: readonly ErrorCode[] = [
  "busy",
  "connection_refused",
  "connection_reset",
  "host_not_found",
  "not_found",
  "timed_out",
  "unreachable",
];

/**
 * Tries again until it succeeds, for `wait` milliseconds at the most.
 *
 * @param word what the command line calls the server
 */
export async function withWait<T>(
  word: string,
  wait: number | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  const end = performance.now() + (wait ?? 0);
  for (let pause = 100;; pause = Math.min(2000, 2 * pause)) {
    try {
      return await attempt();
    } catch (error) {
      const left = end - performance.now();
      if (!NOT_YET.includes(codeOf(error)) || left <= 0) {
        if (codeOf(error) !== "host_not_found") throw error;
        throw withCure(error, await aliasHint(word));
      }
      await sleep(Math.min(pause, left));
    }
  }
}

/** `tcpmux list`: the names of a server's services. */
export async function listCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals: [word] } = readCommandLine(args, LIST, getEnv);
  const { server, service, tls } = await namedServer(word, flags);
  if (service !== undefined) {
    throw usage(`${word} names a service, and list takes a server alone`);
  }
  const options = { ...clientOptions(flags), ...tls };
  const names = await withWait(word, flags.wait, () => list(server, options));
  if (flags.json) printOut(`${JSON.stringify(names)}\n`);
  else printOut(names.map((name) => `${name}\n`).join(""));
  return EXIT.done;
}
