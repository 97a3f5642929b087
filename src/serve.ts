import { getLogger } from "@logtape/logtape";
import type { Endpoint } from "./endpoint.ts";
import { TcpmuxError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { ConnectionRecord } from "./record.ts";
import { MuxServer } from "./server.ts";
import type { TableInput } from "./table/input.ts";
import { buildTable, parseTable } from "./table/parse.ts";
import type { Table } from "./table/table.ts";
import { getEnv } from "./transport/permission.ts";
import { transportOf } from "./transport/pick.ts";
import type { TransportHandle } from "./transport/transport.ts";
import { type Duration, millisecondsOf } from "./units.ts";

/** Options of {@linkcode serve}, in addition to the table. */
export interface ServeOptions {
  /**
   * Stops the server when aborted, as `close()` does.
   * @default none
   */
  signal?: AbortSignal;
  /**
   * Where log lines go.
   * @default LogTape's category `tcpmux`; if the program has not configured
   * LogTape, errors go to standard error, and all else is dropped
   */
  log?: Log;
  /**
   * Called once for every connection, when it has ended. If it throws or
   * rejects, the error is logged, and has no other effect.
   * @default nothing is called
   */
  onRecord?: (record: ConnectionRecord) => void;
  /**
   * The sockets and processes to use.
   * @default those of the runtime
   */
  transport?: TransportHandle;
}

/**
 * A server that `serve` has started. `await using` closes it as `close()` does.
 */
export interface Server extends AsyncDisposable {
  /** Where it listens, with the real ports. */
  readonly addresses: readonly Endpoint[];
  /** Resolves when it has stopped and the last session has ended. */
  readonly closed: Promise<void>;
  /**
   * Replaces the table, completely or not at all. Live sessions keep their
   * service, and listeners that are in both tables stay open.
   *
   * @throws {TableError} for a table that is wrong or cannot be served here;
   * the old table then stays in force, as after every error
   * @throws {TcpmuxError} for an address that cannot be listened on, as
   * {@linkcode serve} does; `closed` once the server has stopped
   */
  reload(table: TableInput | string): Promise<void>;
  /**
   * Stops accepting, and gives live sessions time to end. Resolves when the
   * last session has ended.
   *
   * @param drainTimeout milliseconds, or text such as `"5s"`; 0 for at once; by
   * default the table's `drain_timeout`
   * @throws {TypeError} if that is not a duration; the server then goes on
   */
  close(drainTimeout?: Duration): Promise<void>;
}

/**
 * Serves TCPMUX (RFC 1078).
 *
 * @param table services as objects and functions, or a table as TOML text
 * @returns the server, once it listens at all its addresses
 * @throws {TableError} for a table that is wrong or cannot be served here, with
 * every problem
 * @throws {TcpmuxError} for an address that cannot be listened on: codes
 * `address_in_use`, `address_not_available`, `permission_denied`
 *
 * @example
 * ```ts
 * import { serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: {
 *     hello: async (conn) => {
 *       await conn.write(new TextEncoder().encode("Hello\r\n"));
 *     },
 *     ssh: { connect: "127.0.0.1:22" },
 *   },
 * });
 * console.log(server.addresses);
 * await server.close();
 * ```
 */
export async function serve(
  table: TableInput | string,
  options: ServeOptions = {},
): Promise<Server> {
  return await start(toTable(table), options);
}

/** Starts a server of a table that has been read. */
export async function start(
  table: Table,
  options: ServeOptions,
): Promise<Server> {
  if (table.server.user + table.server.group !== "") {
    throw new TcpmuxError(
      "unsupported",
      "server.user and server.group: they are for `tcpmux serve`, and a " +
        "library changes no rights of its program (leave them out)",
    );
  }
  const server = await MuxServer.start(table, {
    transport: await transportOf(options.transport),
    log: options.log ?? tapeLog(),
    getEnv,
    ...(options.onRecord === undefined ? {} : { onRecord: options.onRecord }),
  });
  const { signal } = options;
  const stop = () => void server.close();
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  server.closed.then(() => signal?.removeEventListener("abort", stop));
  return {
    get addresses() {
      return server.addresses;
    },
    closed: server.closed,
    reload: async (next) => await server.reload(toTable(next)),
    close: async (drainTimeout) =>
      await server.close(
        drainTimeout === undefined
          ? undefined
          : millisecondsOf("drainTimeout", drainTimeout),
      ),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function toTable(table: TableInput | string): Table {
  return typeof table === "string"
    ? parseTable(table, "table")
    : buildTable(table);
}

/**
 * The log of LogTape's category `tcpmux`. If the program has not configured it,
 * an error goes to standard error: most likely its own function has thrown.
 */
function tapeLog(): Log {
  const logger = getLogger("tcpmux");
  return (level, message, fields = {}) => {
    if (level !== "error" || logger.isEnabledFor(level)) {
      return logger[level](message, fields);
    }
    const { stack = "", ...others } = fields;
    const facts = Object.entries(others).map(([key, value]) =>
      ` ${key}=${value}`
    );
    console.error(`tcpmux: ${message}:${facts.join("")}\n${stack}`.trimEnd());
  };
}
