/** `tcpmux serve --inetd`: one connection, which another program has accepted. */
import { fstatSync } from "node:fs";
import { drain } from "../../drain.ts";
import { messageOf, TcpmuxError } from "../../errors.ts";
import type { ConnectionRecord } from "../../record.ts";
import { MuxServer } from "../../server.ts";
import { Table } from "../../table/table.ts";
import { getEnv } from "../../transport/permission.ts";
import { pickTransport } from "../../transport/pick.ts";
import type { Output } from "../../transport/system.ts";
import type { Conn, Transport } from "../../transport/transport.ts";
import { negative } from "../../wire.ts";
import { EXIT } from "../exit.ts";
import type { Loaded } from "../load.ts";
import { type Signals, stderrIsClients } from "../system.ts";
import { type LogTarget, withLog } from "./log_target.ts";
import { rightsOf } from "./privileges.ts";

/** The descriptor of the connection. */
const STDIN = 0;

/** For one connection at a time, however few files may be open. */
const ONE = { start: 1, percent: 100, full: 1 };

/** Takes what nobody may read. */
const NOWHERE: Output = { write: () => Promise.resolve() };

export interface InetdOptions {
  readonly signals: Signals;
  readonly load: () => Promise<Loaded>;
}

/**
 * Serves the connection that is this program's standard input, until its
 * session has ended.
 *
 * @returns the exit code: what its client does is no failure of the program
 */
export async function serveInetd(options: InetdOptions): Promise<number> {
  const transport = await pickTransport();
  const stderr = stderrIsClients() ? NOWHERE : transport.output(2);
  return await withLog(transport, stderr, async (logs) => {
    const conn = await acceptedConn(transport);
    const { outcome } = await serveOne(conn, transport, logs, options);
    return outcome === "failed" ? EXIT.broken : EXIT.done;
  });
}

/** @throws {TcpmuxError} where standard input is no connection */
async function acceptedConn(transport: Transport): Promise<Conn> {
  const { connOn } = transport;
  if (connOn === undefined || !isSocket(STDIN)) {
    throw new TcpmuxError(
      "usage",
      "--inetd: standard input is no socket (it is for inetd, xinetd, " +
        "tcpserver, or a systemd socket with Accept=yes to start it)",
    );
  }
  try {
    return await connOn(STDIN);
  } catch (error) {
    throw new TcpmuxError(
      "connection_reset",
      `--inetd: standard input has no client: ${messageOf(error)} (it has ` +
        "left; or the socket listens, as with wait of inetd, wait = yes of " +
        "xinetd and Accept=no of systemd)",
      { cause: error },
    );
  }
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false; // it is closed
  }
}

async function serveOne(
  conn: Conn,
  transport: Transport,
  logs: LogTarget,
  { signals, load }: InetdOptions,
): Promise<ConnectionRecord> {
  let ended!: (record: ConnectionRecord) => void;
  const record = new Promise<ConnectionRecord>((resolve) => ended = resolve);
  let server: MuxServer;
  try {
    transport.sealInherited?.();
    const { table, file } = await load();
    (await logs.prepare(table.server.log)).commit();
    server = await MuxServer.start(forOne(table), {
      onBound: await rightsOf({ table, file }, transport),
      transport,
      log: logs.log,
      getEnv,
      onRecord: ended,
    }, file);
  } catch (error) {
    // Its client is told that there is no service, as of any that is missing.
    conn.write(negative("Service temporarily unavailable")).catch(() => {});
    await drain(conn, transport.timers);
    throw error;
  }
  server.adopt(conn);
  let isStopping = false;
  const stop = () => {
    server.close(isStopping ? 0 : undefined);
    isStopping = true;
  };
  signals.handle({ SIGTERM: stop, SIGINT: stop, SIGHUP() {} });
  const result = await record;
  await server.close();
  return result;
}

/** The table without what concerns many connections. */
function forOne({ server, services, located }: Table): Table {
  const limits = { ...server.limits, maxConnections: 1, maxStartups: ONE };
  return new Table({ ...server, limits }, services, [], located);
}
