import { type ConnectOptions, reach, RefusedError } from "./connect.ts";
import { formatEndpoint, parseServer } from "./endpoint.ts";
import { TcpmuxError } from "./errors.ts";
import { withDeadline } from "./transport/attempt.ts";
import { pickTransport } from "./transport/pick.ts";
import type { Conn } from "./transport/transport.ts";
import { HELP, requestLine } from "./wire.ts";

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
 * import { formatEndpoint, list, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { echo: { builtin: "echo" }, about: { text: "tcpmux" } },
 * });
 * console.log(await list(formatEndpoint(server.addresses[0]!)));
 * await server.close();
 * ```
 */
export async function list(
  server: string,
  options: Omit<ConnectOptions, "early" | "dropNul"> = {},
): Promise<string[]> {
  const transport = options.transport ?? await pickTransport();
  const conn = await reach(transport, parseServer(server), options);
  const { signal, replyTimeout: timeout = 30_000 } = options;
  const what = `no list of ${formatEndpoint(conn.remote)}`;
  try {
    const text = await withDeadline(what, { timeout, signal }, async (own) => {
      own.addEventListener("abort", () => conn.abort());
      await conn.write(requestLine(HELP));
      return await readAll(conn, what);
    });
    return namesIn(text, server);
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
        `${what}: it is over ${MAX_LIST} bytes`,
      );
    }
  }
  return text;
}

/** The names in any server's answer. */
function namesIn(text: string, server: string): string[] {
  const lines = text.replaceAll("\0", "").split(/\r\n|\n|\r/)
    .map((line) => line.trim());
  if (lines[0]?.startsWith("-")) {
    throw new RefusedError(HELP, server, printable(lines[0].slice(1)));
  }
  if (lines[0]?.startsWith("+")) lines.shift();
  const names = lines.filter((line) =>
    /^[\x21-\x7e]{1,255}$/.test(line) && line.toUpperCase() !== HELP
  );
  if (names.length === 0 && lines.some((line) => line !== "")) {
    throw new TcpmuxError(
      "protocol",
      `${server} is no TCPMUX server: its answer holds no name`,
    );
  }
  return names;
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
