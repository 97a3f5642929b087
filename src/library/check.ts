/** All that is wrong with a table, without serving it. */
import type { Log } from "../log.ts";
import { warnOfZone } from "../policy/hours.ts";
import { limitsHere } from "../policy/open_files.ts";
import type { ServeOptions } from "../serve.ts";
import { advise } from "../services/exec/advice.ts";
import {
  DEFAULT_PATH,
  findProgram,
  programOf,
} from "../services/exec/find_program.ts";
import { identitiesOf, type Identity } from "../services/exec/identity.ts";
import { runTool } from "../services/exec/run_tool.ts";
import type { TableInput } from "../table/input.ts";
import { buildTable, parseTable } from "../table/parse.ts";
import { type Problem, Problems, TableError } from "../table/problem.ts";
import type { ExecService } from "../table/service.ts";
import { checkRuntime, type Table } from "../table/table.ts";
import type { TlsInForce } from "../tls/in_force.ts";
import { tlsOf, upstreamTlsOf } from "../tls/load.ts";
import { getEnv } from "../transport/permission.ts";
import { transportOf } from "../transport/pick.ts";
import type { Transport } from "../transport/transport.ts";
import { adviseListeners, adviseLog } from "./place_advice.ts";
import { serverUser } from "./server_user.ts";

/** What {@linkcode checkTable} has found. */
export interface TableFindings {
  /** For these, `serve` would throw a {@linkcode TableError}. */
  readonly errors: readonly Problem[];
  /** What clients would run into. */
  readonly warnings: readonly Problem[];
}

/**
 * Checks a table as `tcpmux check` does, without serving it: its keys, whether
 * this runtime and this system can serve it, and whether its addresses are
 * free and its programs are there.
 *
 * @param table services as objects and functions, or a table as TOML text
 * @param options the sockets to use; by default those of the runtime
 * @throws {TcpmuxError} only where the check itself fails, as where no more
 * files can be opened
 *
 * @example
 * ```ts
 * import { checkTable } from "./mod.ts";
 *
 * const { errors } = await checkTable("[services.a]\nbuiltin = \"ecko\"\n");
 * for (const { line, key, message } of errors) console.log(line, key, message);
 * ```
 */
export async function checkTable(
  table: TableInput | string,
  options: Pick<ServeOptions, "transport"> = {},
): Promise<TableFindings> {
  const transport = await transportOf(options.transport);
  const file = typeof table === "string" ? "table" : undefined;
  try {
    const read = typeof table === "string"
      ? parseTable(table, "table")
      : buildTable(table);
    const warnings = await inspect(read, transport, file);
    return { errors: [], warnings: [...advise(read, file), ...warnings] };
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    return { errors: error.problems, warnings: [] };
  }
}

/**
 * Looks whether this machine can serve a table now.
 *
 * @param file the table's name, for errors
 * @returns what clients would run into
 * @throws {TableError} for what the server would not start with
 */
export async function inspect(
  table: Table,
  transport: Transport,
  file?: string,
): Promise<readonly Problem[]> {
  checkRuntime(table, transport, file);
  const tls = await tlsOf(table, getEnv, file);
  await upstreamTlsOf(table, getEnv, () => {}, file);
  if (transport.abilities.programs) await serverUser(table, transport, file);
  const identities = await identitiesOf(table, transport, file);
  const advice = new Problems(file, table.located);
  await adviseListeners(table, transport, advice);
  await adviseLog(table, advice);
  adviseProxies(table, advice);
  adviseNames(table, advice);
  if (tls !== undefined) {
    const { adviseTls } = await import("./tls_advice.ts");
    await adviseTls(table, tls.certificates, advice, file);
  }
  await adviseStart(table, advice, tls);
  for (const [service, identity] of identities) {
    await adviseUser(service, identity, transport, advice);
  }
  return advice.all;
}

/** Advises of proxies that are trusted where no proxy says anything. */
function adviseProxies({ listeners, server }: Table, advice: Problems): void {
  if (server.trustedProxies.allow.length === 0) return;
  if (listeners.some(({ endpoint }) => endpoint?.proxyHeader)) return;
  const what = "has no effect: no address of listen begins with proxy://";
  advice.add(["server", "trusted_proxies"], what);
}

/** Advises of names that no client can use, or none without a reply line. */
function adviseNames(table: Table, advice: Problems): void {
  const { services, server, byName } = table;
  const { tls, firstBytes = [] } = server;
  const bySni = tls?.sniNames === true || (tls?.sniNames.length ?? 0) > 0;
  for (const { name, alpn } of services) {
    if (bySni || alpn.length === 0) continue;
    const what = "has no effect without sni_names in [server.tls]";
    advice.add(["services", name, "alpn"], what);
  }
  for (const { bytes, service } of firstBytes) {
    const found = byName.get(service.toUpperCase());
    if (found?.kind !== "exec" || found.reply !== "service") continue;
    advice.add(
      ["server", "first_bytes", String.fromCharCode(...bytes)],
      `the program of ${found.name} sends a reply line (reply = "service"), ` +
        "which clients that do not know TCPMUX take for the service's",
    );
  }
}

/** Advises of what a server would log as a warning if it were started here. */
async function adviseStart(
  table: Table,
  advice: Problems,
  tls: TlsInForce | undefined,
): Promise<void> {
  const warns = (key: string): Log => (_, message, fields = {}) => {
    const { reason, ...others } = fields;
    const facts = Object.entries(others)
      .filter(([, value]) => value !== undefined) // as a line of the log
      .map((fact) => fact.join("="));
    const why = reason === undefined ? "" : `: ${reason}`;
    advice.add(["server", key], `${message} (${facts.join(" ")})${why}`);
  };
  const hours = table.services.map(({ hours }) => hours);
  warnOfZone(hours, getEnv("TZ"), warns("time_zone"));
  tls?.warn(warns("tls"));
  await limitsHere(table, warns("max_connections"));
}

/** Advises of a program or a folder that is closed to the user of a service. */
async function adviseUser(
  service: ExecService,
  { tools }: Identity,
  transport: Transport,
  advice: Problems,
): Promise<void> {
  const { name, cwd } = service;
  const [tool, ...words] = tools;
  if (tool === undefined) return; // the server's own user was asked already
  const may = async (path: string) => {
    const test = [...words, findProgram("test", DEFAULT_PATH), "-x", path];
    return (await runTool([tool, ...test], transport)).exit.code !== 1;
  };
  const add = (key: string, what: string) =>
    advice.add(
      ["services", name, key],
      `the user of the service has no permission to ${what}; clients will be ` +
        "refused",
    );
  const program = fileOf(service);
  if (program !== undefined && !await may(program)) {
    add("exec", `execute ${program}`);
  }
  if (cwd !== "" && !await may(cwd)) add("cwd", `enter ${cwd}`);
}

/** Undefined if the program is missing, which another warning says. */
function fileOf(service: ExecService): string | undefined {
  try {
    return programOf(service, getEnv);
  } catch {
    return undefined;
  }
}
