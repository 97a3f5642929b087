import { codeOf, messageOf } from "../errors.ts";
import { inspect } from "../library/check.ts";
import { advise } from "../services/exec/advice.ts";
import { formatProblem, type Problem, TableError } from "../table/problem.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { EXIT, plural } from "./exit.ts";
import { readCommandLine } from "./flags.ts";
import { loadTable, TableSource } from "./load.ts";
import { CHECK } from "./spec/servers.ts";
import { endBy, printError, printOut, restoreSignals } from "./system.ts";

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
  // Read in any case, so that all that is wrong is said together.
  const source = new TableSource(positionals[0] ?? flags.config, {
    isStrict: false,
  });
  const found = await check(source, !flags["no-strict-modes"]);
  const ok = found.errors.length === 0;
  restoreSignals(); // nothing but writing is left
  let isWritten = true;
  if (flags.json) printOut(`${JSON.stringify({ ok, ...found })}\n`);
  else isWritten = print(found);
  if (!ok) return EXIT.config;
  return isWritten ? EXIT.done : EXIT.broken;
}

/** @param isStrict whether others may not be able to write the table */
async function check(
  source: TableSource,
  isStrict: boolean,
): Promise<Findings> {
  const ofFile = () => isStrict ? source.faults : [];
  let services = 0;
  let warnings: readonly Problem[] = [];
  try {
    const { table, file, advice } = await loadTable(source);
    services = table.services.length;
    warnings = [
      ...advice().filter((problem) => !ofFile().includes(problem)),
      ...advise(table, file),
    ];
    const transport = await pickTransport();
    warnings = [...warnings, ...await inspect(table, transport, file)];
    return { file, services, errors: ofFile(), warnings };
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
