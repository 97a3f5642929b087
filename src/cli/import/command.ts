/** `tcpmux import`: reads the files, and asks this machine about the result. */
import { join } from "node:path";
import { TcpmuxError } from "../../errors.ts";
import { identitiesOf } from "../../services/exec/identity.ts";
import { parseTable } from "../../table/parse.ts";
import { formatPath, TableError } from "../../table/problem.ts";
import { checkRuntime } from "../../table/table.ts";
import { getEnv } from "../../transport/permission.ts";
import { pickTransport } from "../../transport/pick.ts";
import type { Transport } from "../../transport/transport.ts";
import { EXIT } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import { inputPieces } from "../load.ts";
import { type DialectName, IMPORT } from "../spec/makers.ts";
import { endBy, printError, printOut, restoreSignals } from "../system.ts";
import { dialectOf, type ImportedTable, importTable } from "./import_table.ts";
import { isIncluded } from "./dialects/xinetd_file.ts";
import { HostsAccess } from "./hosts_access.ts";
import { Report } from "./report.ts";
import { decodedText, type Source, SYSTEM_FILES } from "./sources.ts";

/** `tcpmux import`: prints a table, and what became of the configuration. */
export async function importCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals } = readCommandLine(args, IMPORT, getEnv);
  const sources = await sourcesOf(positionals);
  const report = new Report();
  const hosts = new HostsAccess(
    hostsFile(flags["hosts-allow"], "/etc/hosts.allow"),
    hostsFile(flags["hosts-deny"], "/etc/hosts.deny"),
  );
  const transport = await pickTransport();
  const context = {
    files: SYSTEM_FILES,
    report,
    hosts,
    user: flags.user ?? "",
  };
  const table = importTable(
    sources,
    flags.from ?? commonDialect(sources),
    transport.abilities.socketStdio,
    context,
  );
  await closeWhatFails(table, transport);
  table.report();
  restoreSignals(); // nothing but writing is left
  const isWritten = printError(String(report));
  if (table.drafts.length === 0) {
    throw new TcpmuxError(
      "invalid_table",
      `${positionals.join(", ")}: there is no service in it that could be kept`,
    );
  }
  printOut(table.text());
  return isWritten ? EXIT.done : EXIT.broken;
}

/** @throws {TcpmuxError} code `invalid_table`, naming what cannot be read */
async function sourcesOf(paths: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === "-") {
      const text = decodedText(Buffer.concat(await inputPieces()));
      sources.push({ file: "standard input", text });
      continue;
    }
    const names = SYSTEM_FILES.names(path);
    const files = names?.filter(isIncluded).map((name) => join(path, name)) ??
      [path];
    for (const file of files) sources.push(readFile(file));
  }
  return sources;
}

function readFile(file: string): Source {
  const text = SYSTEM_FILES.read(file);
  if (text !== undefined) return { file, text };
  throw new TcpmuxError(
    "invalid_table",
    `${file}: cannot be read: it is no file, or not for this user`,
  );
}

/** Undefined where no flag names one, and there is none at its usual place. */
function hostsFile(
  named: string | undefined,
  usual: string,
): Source | undefined {
  if (named !== undefined) return readFile(named);
  const text = SYSTEM_FILES.read(usual);
  return text === undefined ? undefined : { file: usual, text };
}

/** @throws {TcpmuxError} where files differ, or none looks like anything */
function commonDialect(sources: readonly Source[]): DialectName {
  const found = new Set(sources.flatMap((source) => dialectOf(source) ?? []));
  const [dialect, other] = [...found];
  if (other !== undefined) {
    throw usage(
      `one file is of ${dialect} and another of ${other}: import them one ` +
        "after the other, or say --from",
    );
  }
  if (dialect !== undefined) return dialect;
  throw new TcpmuxError(
    "invalid_table",
    `${sources.map(({ file }) => file).join(", ")}: it looks like no ` +
      "configuration that can be read (--from says what it is)",
  );
}

/**
 * Closes the services that this machine could not serve, as for want of their
 * user: one of them would keep the server from starting.
 */
async function closeWhatFails(
  { drafts, text }: ImportedTable,
  transport: Transport,
): Promise<void> {
  // Only root can say whether root could become that user.
  const isRoot = process.getuid?.() === 0;
  const canAsk = transport.abilities.programs &&
    (isRoot || drafts.every(({ keys }) => !keys.user && !keys.group));
  for (let round = 0; round <= drafts.length; round++) {
    try {
      const table = parseTable(text(), "table");
      checkRuntime(table, transport);
      if (canAsk) await identitiesOf(table, transport);
      return;
    } catch (error) {
      if (!(error instanceof TableError)) throw error;
      const count = closeEach(error, drafts);
      if (count === 0) throw error;
    }
  }
}

/** @returns how many were open before */
function closeEach(
  { problems }: TableError,
  drafts: ImportedTable["drafts"],
): number {
  let count = 0;
  for (const { key, message } of problems) {
    const draft = drafts.find(({ name }) =>
      key.startsWith(`${formatPath(["services", name])}.`)
    );
    if (draft === undefined) continue;
    if (draft.closed.length === 0) count++;
    draft.close(message);
  }
  return count;
}
