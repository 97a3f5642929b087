import { type Endpoint, formatEndpoint, TCPMUX_PORT } from "../endpoint.ts";
import { codeOf, messageOf } from "../errors.ts";
import { checkLoops, checkRuntime, type Table } from "../table/table.ts";
import { advise } from "../services/exec/advice.ts";
import {
  formatProblem,
  type Problem,
  Problems,
  TableError,
} from "../table/problem.ts";
import type { ExecService } from "../table/service.ts";
import { identitiesOf, type Identity } from "../services/exec/identity.ts";
import { DEFAULT_PATH, findProgram } from "../services/exec/find_program.ts";
import { runTool } from "../services/exec/run_tool.ts";
import { getEnv, permitted } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import type { Transport } from "../transport/transport.ts";
import { EXIT, plural } from "./exit.ts";
import { readCommandLine } from "./flags.ts";
import { loadTable, TableSource } from "./load.ts";
import { CHECK } from "./spec/servers.ts";
import { endBy, printError, printOut, restoreSignals } from "./system.ts";

/** Where a server listens whose table does not say it. */
const DEFAULT_ADDRESS: Endpoint = {
  transport: "tcp",
  host: "::",
  port: TCPMUX_PORT,
};

/** What a check found. */
interface Findings {
  readonly file: string;
  readonly services: number;
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** `tcpmux check`: all that is wrong with a table, without serving it. */
export async function checkCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals } = readCommandLine(args, CHECK, getEnv);
  const source = new TableSource(positionals[0] ?? flags.config, {
    isStrict: !flags["no-strict-modes"],
  });
  const found = await check(source);
  const ok = found.errors.length === 0;
  restoreSignals(); // nothing but writing is left
  let isWritten = true;
  if (flags.json) printOut(`${JSON.stringify({ ok, ...found })}\n`);
  else isWritten = print(found);
  if (!ok) return EXIT.config;
  return isWritten ? EXIT.done : EXIT.broken;
}

async function check(source: TableSource): Promise<Findings> {
  let services = 0;
  let warnings: readonly Problem[] = [];
  try {
    const { table, file, advice } = await loadTable(source);
    services = table.services.length;
    warnings = [...advice(), ...advise(table, file)];
    const transport = await pickTransport();
    checkRuntime(table, transport, file);
    checkLoops(table, file);
    const identities = await identitiesOf(table, transport, file);
    const here = new Problems(file, table.located);
    await adviseListeners(table, transport, here);
    for (const [service, identity] of identities) {
      await adviseUser(service, identity, transport, here);
    }
    warnings = [...warnings, ...here.all];
    return { file, services, errors: [], warnings };
  } catch (error) {
    if (codeOf(error) !== "invalid_table") throw error;
    const errors = error instanceof TableError
      ? error.problems
      : [{ key: "", message: messageOf(error) }]; // the file cannot be read
    return { file: source.name, services, errors, warnings };
  }
}

/** Advises of addresses that another program has just now. */
async function adviseListeners(
  { listeners }: Table,
  transport: Transport,
  advice: Problems,
): Promise<void> {
  if (!permitted("net")) return;
  for (const [index, { endpoint = DEFAULT_ADDRESS }] of listeners.entries()) {
    if (!await isTaken(endpoint, transport)) continue;
    advice.add(
      ["server", "listen", index],
      `${formatEndpoint(endpoint)} is in use just now (stop what listens ` +
        "there, unless it is the server of this table)",
    );
  }
}

async function isTaken(
  endpoint: Endpoint,
  transport: Transport,
): Promise<boolean> {
  try {
    if (endpoint.transport === "unix") { // listening would make a file
      (await transport.connect(endpoint).conn).close();
      return true;
    }
    (await transport.listen(endpoint)).close();
    return false;
  } catch (error) {
    const code = codeOf(error);
    // Who accepts, and closes at once, listens as well.
    return code === "address_in_use" || code === "connection_reset";
  }
}

/** Advises of a program or a folder that is closed to the user of a service. */
async function adviseUser(
  { name, exec, env, cwd }: ExecService,
  { tools }: Identity,
  transport: Transport,
  advice: Problems,
): Promise<void> {
  const [tool, ...words] = tools;
  if (tool === undefined) return; // the server's own user was asked already
  const may = async (path: string) => {
    const test = [...words, findProgram("test", DEFAULT_PATH), "-x", path];
    return (await runTool([tool, ...test], transport)).exit.code !== 1;
  };
  const add = (key: string, what: string) =>
    advice.add(
      ["services", name, key],
      `${what} by its user; clients will be refused`,
    );
  const program = pathOf(exec[0], env["PATH"] ?? DEFAULT_PATH);
  if (program !== undefined && !await may(program)) {
    add("exec", `${program} may not be executed`);
  }
  if (cwd !== "" && !await may(cwd)) add("cwd", `${cwd} may not be entered`);
}

/** Undefined where there is none, which is another advice. */
function pathOf(program: string, path: string): string | undefined {
  try {
    return findProgram(program, path);
  } catch {
    return undefined;
  }
}

/** @returns whether all that was found has been written */
function print({ file, services, errors, warnings }: Findings): boolean {
  const lines = [
    ...warnings.map((problem) => `${formatProblem(problem)} (warning)\n`),
    ...errors.map((problem) => `${formatProblem(problem)}\n`),
  ];
  if (errors.length > 0) {
    lines.push(`tcpmux: ${file}: ${plural(errors.length, "error")}\n`);
  }
  const isWritten = printError(lines.join(""));
  if (errors.length === 0) {
    printOut(`${file}: ${plural(services, "service")}, no errors\n`);
  }
  return isWritten;
}
