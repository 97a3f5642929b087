import type { ConnectionRecord } from "./record.ts";
import type { Endpoint } from "./endpoint.ts";
import { getLogger } from "@logtape/logtape";
import type { Log } from "./log.ts";
import { Mux } from "./mux.ts";
import { buildTable, parseTable, type TableInput } from "./table/parse.ts";
import { getEnv } from "./transport/permission.ts";
import { pickTransport } from "./transport/pick.ts";
import type { Transport } from "./transport/transport.ts";

/** How a program serves, besides what its table says. */
export interface ServeOptions {
  /** Stops the server when aborted, as `close()` does. */
  signal?: AbortSignal;
  /**
   * Where log lines go.
   * @default LogTape's category `tcpmux`, silent until the program sets it up
   */
  log?: Log;
  /**
   * Called once for every connection, when it has ended. Its failures
   * are logged and harm nobody.
   */
  onRecord?: (record: ConnectionRecord) => void;
  /**
   * Sockets and processes.
   * @default those of the runtime
   */
  transport?: Transport;
}

/** A server that `serve` has started. */
export interface Server extends AsyncDisposable {
  /** Where it listens, with the real ports. */
  readonly addresses: readonly Endpoint[];
  /** Resolves when it has stopped and the last session has ended. */
  readonly closed: Promise<void>;
  /**
   * Puts another table in force, all of it or none. Sessions under way keep
   * their service; listeners that stay are not touched.
   *
   * @throws {TableError} and the old table stays in force
   */
  reload(table: TableInput | string): Promise<void>;
  /**
   * Stops accepting, and gives live sessions time to end.
   *
   * @param drainTimeout milliseconds; by default the table's `drain_timeout`
   */
  close(drainTimeout?: number): Promise<void>;
}

/**
 * Serves TCPMUX (RFC 1078).
 *
 * @param table services as objects and functions, or a table as TOML text
 * @throws {TableError} for a table that is wrong, with every problem
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
  const mux = await Mux.start(toTable(table), {
    transport: options.transport ?? await pickTransport(),
    log: options.log ?? tapeLog(),
    getEnv,
    ...(options.onRecord === undefined ? {} : { onRecord: options.onRecord }),
  });
  const { signal } = options;
  const stop = () => void mux.close();
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  mux.closed.then(() => signal?.removeEventListener("abort", stop));
  return {
    get addresses() {
      return mux.addresses;
    },
    closed: mux.closed,
    reload: async (next) => await mux.reload(toTable(next)),
    close: (drainTimeout) => mux.close(drainTimeout),
    [Symbol.asyncDispose]: () => mux.close(),
  };
}

function toTable(table: TableInput | string) {
  return typeof table === "string"
    ? parseTable(table, "table")
    : buildTable(table);
}

/** The log of LogTape's category `tcpmux`, which a program may direct. */
function tapeLog(): Log {
  const logger = getLogger("tcpmux");
  return (level, message, fields = {}) => logger[level](message, fields);
}
