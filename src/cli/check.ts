import { dial } from "../dial.ts";
import type { Endpoint } from "../endpoint.ts";
import { codeOf, messageOf, TcpmuxError } from "../errors.ts";
import { ownHeader } from "../handshake/proxy_protocol.ts";
import { inspect } from "../library/check.ts";
import { firstBytes } from "../services/connect.ts";
import { advise } from "../services/exec/advice.ts";
import type { UpstreamTls } from "../services/service.ts";
import { dumpTable } from "../table/files/dump.ts";
import {
  formatProblem,
  type KeyPath,
  type Problem,
  Problems,
  TableError,
} from "../table/problem.ts";
import type {
  ConnectService,
  Service,
  TcpmuxService,
} from "../table/service.ts";
import { type Table, upstreamsOf } from "../table/table.ts";
import { upstreamTlsOf } from "../tls/load.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import type { Conn, Transport } from "../transport/transport.ts";
import { EXIT, plural } from "./exit.ts";
import { readCommandLine, usage } from "./flags.ts";
import { loadTable, TableSource } from "./load.ts";
import { CHECK } from "./spec/servers.ts";
import { endBy, printError, printOut, restoreSignals } from "./system.ts";

/** What a check found. */
interface Findings {
  readonly file: string;
  readonly services: number;
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Upstreams that do not answer, where they were asked. */
  readonly upstreams?: readonly Problem[];
  /** The effective table, where it is asked for and right. */
  readonly table?: string;
}

/** What is looked at besides the table. */
interface Wanted {
  /** Whether others may not be able to write the table. */
  readonly isStrict: boolean;
  readonly connect: boolean;
  readonly dump: boolean;
}

/** `tcpmux check`: all that is wrong with a table, without serving it. */
export async function checkCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const line = readCommandLine(args, CHECK, getEnv);
  const { flags: { config, ...flags }, origins, positionals } = line;
  const [file = config] = positionals;
  // One that a variable names is for commands that name none.
  if (
    origins.config === "--config" && config !== undefined && config !== file
  ) {
    throw usage(`check takes one table, not both ${file} and ${config}`);
  }
  // Read in any case, so that all that is wrong is said together.
  const source = new TableSource(file, { isStrict: false });
  const { connect, dump, json } = flags;
  if (dump && json) throw usage("--dump and --json do not go together");
  const isStrict = !flags["no-strict-modes"];
  const found = await check(source, { isStrict, connect, dump });
  const ok = found.errors.length === 0;
  restoreSignals(); // nothing but writing is left
  let isWritten = true;
  if (json) printOut(`${JSON.stringify({ ok, ...found })}\n`);
  else isWritten = print(found);
  if (!ok) return EXIT.config;
  if ((found.upstreams ?? []).length > 0) return EXIT.refused;
  return isWritten ? EXIT.done : EXIT.broken;
}

async function check(
  source: TableSource,
  { isStrict, connect, dump }: Wanted,
): Promise<Findings> {
  const ofFile = () => isStrict ? source.faults : [];
  let services = 0;
  let warnings: readonly Problem[] = [];
  try {
    const { table, file, advice, documents } = await loadTable(source);
    services = table.services.length;
    warnings = [
      ...advice().filter((problem) => !ofFile().includes(problem)),
      ...advise(table, file),
    ];
    const transport = await pickTransport();
    warnings = [...warnings, ...await inspect(table, transport, file)];
    const found = { file, services, errors: ofFile(), warnings };
    if (found.errors.length > 0) return found;
    const names = table.services.map(({ name }) => name);
    return {
      ...found,
      ...(connect
        ? { upstreams: await askUpstreams(table, transport, file) }
        : {}),
      ...(dump ? { table: dumpTable(documents, names) } : {}),
    };
  } catch (error) {
    if (codeOf(error) !== "invalid_table") throw error;
    const ofTable = error instanceof TableError
      ? error.problems
      : [{ key: "", message: messageOf(error) }]; // the file cannot be read
    const errors = [...ofFile(), ...ofTable];
    return { file: source.name, services, errors, warnings };
  }
}

/** @returns whether all that was found has been written */
function print(found: Findings): boolean {
  const { file, services, errors, warnings, upstreams = [], table } = found;
  const lines = [
    ...[...warnings, ...upstreams].map((problem) =>
      `${formatProblem(problem)} (warning)\n`
    ),
    ...errors.map((problem) => `${formatProblem(problem)}\n`),
  ];
  if (errors.length > 0) {
    lines.push(`tcpmux: ${file}: ${plural(errors.length, "error")}\n`);
  }
  const isWritten = printError(lines.join(""));
  if (errors.length === 0) {
    printOut(table ?? `${file}: ${plural(services, "service")}, no errors\n`);
  }
  return isWritten;
}

/** How many upstreams are asked at a time. */
const AT_A_TIME = 32;

/** Milliseconds for a service whose `connect_timeout` is no limit. */
const LONGEST = 30_000;

interface Upstream {
  readonly service: ConnectService | TcpmuxService;
  readonly endpoint: Endpoint;
  readonly path: KeyPath;
}

/**
 * Connects to each upstream of the services that are offered, as a client's
 * session would, and closes the connection.
 *
 * @returns what is wrong with those that do not answer
 */
async function askUpstreams(
  table: Table,
  transport: Transport,
  file: string,
): Promise<readonly Problem[]> {
  const found = new Problems(file, table.located);
  const tls = await upstreamTlsOf(table, getEnv, () => {}, file);
  const all = table.services.flatMap(offeredOf);
  const failures = new Map<Upstream, string>();
  const waiting = all.values();
  const ask = async () => {
    for (const upstream of waiting) {
      const why = await failureOf(upstream, transport, tls);
      if (why !== undefined) failures.set(upstream, why);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, ask));
  for (const upstream of all) { // in the order of the table
    const why = failures.get(upstream);
    if (why !== undefined) found.add(upstream.path, why);
  }
  return found.all;
}

function offeredOf(service: Service): Upstream[] {
  const { enabled, name, kind } = service;
  if (!enabled || kind !== "connect" && kind !== "tcpmux") return [];
  const path = ["services", name, kind];
  return upstreamsOf(service).map((endpoint, index, { length }) => ({
    service,
    endpoint,
    path: length === 1 ? path : [...path, index],
  }));
}

async function failureOf(
  { service, endpoint }: Upstream,
  transport: Transport,
  tls: UpstreamTls | undefined,
): Promise<string | undefined> {
  const timeout = service.connectTimeout || LONGEST;
  const begin = performance.now();
  let conn: Conn | undefined;
  try {
    const forTls = service.tls !== undefined;
    conn = await dial(transport, endpoint, { timeout, forTls }).conn;
    const { proxyProtocol } = service;
    if (proxyProtocol !== undefined) {
      await conn.write(ownHeader(proxyProtocol, conn));
    }
    if (forTls) {
      const time = { timeout, begin, timers: transport.timers, hold() {} };
      conn = await tls!.secure(conn, service, endpoint, time);
    }
    const speaksFirst = service.kind === "connect" &&
      service.ready === "first-byte";
    if (speaksFirst) {
      const wait = { endpoint, timeout, begin };
      await firstBytes(conn, wait, transport.timers);
    }
    conn.close();
  } catch (error) {
    conn?.abort();
    if (!(error instanceof TcpmuxError)) throw error;
    return messageOf(error);
  }
}
