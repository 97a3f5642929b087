import { codeOf, messageOf } from "../errors.ts";
import { checkLoops, checkRuntime } from "../table/table.ts";
import { advise } from "../services/exec/advice.ts";
import { formatProblem, type Problem, TableError } from "../table/problem.ts";
import { identitiesOf } from "../services/exec/identity.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { EXIT, plural } from "./exit.ts";
import { readCommandLine } from "./flags.ts";
import { EMBEDDED_NAME, loadTable } from "./load.ts";
import { CHECK } from "./spec/servers.ts";
import { printError, printOut } from "./system.ts";

/** What a check found. */
interface Findings {
  readonly file: string;
  readonly services: number;
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** `tcpmux check`: all that is wrong with a table, without serving it. */
export async function checkCommand(args: readonly string[]): Promise<number> {
  const { flags, positionals } = readCommandLine(args, CHECK, getEnv);
  const found = await check(positionals[0] ?? flags.config);
  const ok = found.errors.length === 0;
  if (flags.json) printOut(`${JSON.stringify({ ok, ...found })}\n`);
  else print(found);
  return ok ? EXIT.done : EXIT.config;
}

async function check(name: string | undefined): Promise<Findings> {
  let services = 0;
  let warnings: readonly Problem[] = [];
  try {
    const { table, file } = await loadTable(name);
    services = table.services.length;
    warnings = advise(table, file);
    const transport = await pickTransport();
    checkRuntime(table, transport, file);
    checkLoops(table, file);
    await identitiesOf(table, transport, file);
    return { file, services, errors: [], warnings };
  } catch (error) {
    if (codeOf(error) !== "invalid_table") throw error;
    const errors = error instanceof TableError
      ? error.problems
      : [{ key: "", message: messageOf(error) }]; // the file cannot be read
    return { file: name ?? EMBEDDED_NAME, services, errors, warnings };
  }
}

function print({ file, services, errors, warnings }: Findings): void {
  for (const problem of warnings) {
    printError(`${formatProblem(problem)} (warning)\n`);
  }
  for (const problem of errors) printError(`${formatProblem(problem)}\n`);
  if (errors.length === 0) {
    printOut(`${file}: ${plural(services, "service")}, no errors\n`);
  } else {
    printError(`tcpmux: ${file}: ${plural(errors.length, "error")}\n`);
  }
}
