/** The names of a server's services (RFC 1078, HELP). */
import {
  type ConnectOptions,
  nameOf,
  replyTimeoutOf,
  targetOf,
} from "../connect.ts";
import { reach, refusedBy } from "../dial.ts";
import { type Endpoint, formatEndpoint, type TlsFacts } from "../endpoint.ts";
import { RefusedError, TcpmuxError } from "../errors.ts";
import { withDeadline } from "../transport/attempt.ts";
import { transportOf } from "../transport/pick.ts";
import type { Conn } from "../transport/transport.ts";
import { HELP, namesIn, requestLine } from "../wire.ts";

/** The most bytes of a list that are read. */
const MAX_LIST = 1024 * 1024;

/**
 * Asks a TCPMUX server for the names of its services (RFC 1078, HELP).
 *
 * Servers answer in four ways, and all are understood: bare names; a `+` line
 * and then names; a line `HELP` and then names; and a refusal.
 *
 * @param server as for {@linkcode connect}
 * @param options as for {@linkcode connect}; `replyTimeout` is for the whole
 * list, 30 seconds by default
 * @returns the names in the server's order, and as it spells them
 * @throws {RefusedError} when the server answers `-`
 * @throws {TcpmuxError} as {@linkcode connect} does
 *
 * @example
 * ```ts
 * import { list, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { echo: { builtin: "echo" }, about: { text: "tcpmux" } },
 * });
 * console.log(await list(server.addresses[0]!)); // [ "echo", "about" ]
 * await server.close();
 * ```
 */
export async function list(
  server: string | Endpoint,
  options: ListOptions = {},
): Promise<string[]> {
  return (await listing(server, options)).names;
}

/** How {@linkcode list} connects. */
export type ListOptions = Omit<ConnectOptions, "early" | "dropNul">;

/** The names of a server's services, and what TLS knows of the server. */
export interface ServerListing {
  readonly names: string[];
  readonly tls: TlsFacts | undefined;
}

/** Asks as {@linkcode list} does. */
export async function listing(
  server: string | Endpoint,
  options: ListOptions,
): Promise<ServerListing> {
  const { endpoint, tls, service } = targetOf(server, options);
  if (service !== undefined) {
    throw new TcpmuxError(
      "usage",
      `${nameOf(server)} names a service, which has no list (leave it out)`,
    );
  }
  const timeout = replyTimeoutOf(options);
  const transport = await transportOf(options.transport);
  const conn = await reach(transport, endpoint, options, tls);
  const { signal } = options;
  const what = `no list of services from ${formatEndpoint(conn.remote)}`;
  try {
    const text = await withDeadline(what, { timeout, signal }, async (own) => {
      own.addEventListener("abort", () => conn.abort());
      await conn.write(requestLine(HELP));
      return await readAll(conn, what);
    });
    return { names: namesIn(text, nameOf(server)), tls: conn.tls };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw await refusedBy(nameOf(server), HELP, error.reply, tls);
  } finally {
    conn.close();
  }
}

async function readAll(conn: Conn, what: string): Promise<string> {
  const decoder = new TextDecoder("latin1");
  let text = "";
  for (let bytes; (bytes = await conn.read()) !== null;) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_LIST) {
      throw new TcpmuxError(
        "protocol",
        `${what}: the list is longer than ${MAX_LIST} bytes`,
      );
    }
  }
  return text;
}
