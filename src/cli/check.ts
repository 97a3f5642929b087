import { codeOf, messageOf } from "../errors.ts";
import { inspect } from "../library/check.ts";
import { advise } from "../services/exec/advice.ts";
import { dumpTable } from "../table/files/dump.ts";
import { formatProblem, type Problem, TableError } from "../table/problem.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { EXIT, plural } from "./exit.ts";
import { readCommandLine, usage } from "./flags.ts";
import { loadTable, TableSource } from "./load.ts";
import { CHECK } from "./spec/servers.ts";
import { endBy, printError, printOut, restoreSignals } from "./system.ts";
import { askUpstreams } from "./tables/upstreams.ts";

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
  const { flags, positionals } = readCommandLine(args, CHECK, getEnv);
  // Read in any case, so that all that is wrong is said together.
  const source = new TableSource(positionals[0] ?? flags.config, {
    isStrict: false,
  });
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
