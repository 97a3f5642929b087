/** `tcpmux export`: what other programs need to know of a table. */
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { formatEndpoint } from "../../endpoint.ts";
import { fromSystem } from "../../transport/errno.ts";
import type { Table } from "../../table/table.ts";
import { getEnv } from "../../transport/permission.ts";
import { EXIT } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import { loadTable, TableSource } from "../load.ts";
import { EXPORT, type ExportFormat } from "../spec/makers.ts";
import { endBy, printOut } from "../system.ts";
import { nftablesRules } from "./nftables.ts";
import { prometheusFiles } from "./prometheus.ts";
import { sshConfig } from "./ssh_config.ts";
import { systemdUnits } from "./systemd.ts";

/** What the table itself does not say. */
interface ExportTarget {
  /** The table's absolute path; undefined for the built-in one. */
  readonly file: string | undefined;
  /** One line that says what it is made from. */
  readonly about: string;
  /** The host by which clients reach the server. */
  readonly host: string;
  /** The address of the admin listener, as `HOST:PORT`. */
  readonly admin: string;
}

/** The texts of files, by their names. */
type ExportedFiles = Readonly<Record<string, string>>;

const MAKERS: Readonly<
  Record<ExportFormat, (table: Table, target: ExportTarget) => ExportedFiles>
> = {
  systemd: systemdUnits,
  nftables: nftablesRules,
  ssh_config: sshConfig,
  prometheus: prometheusFiles,
};

/** `tcpmux export`: prints, or writes, the files for another program. */
export async function exportCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals: [format] } = readCommandLine(
    args,
    EXPORT,
    getEnv,
  );
  if (flags.config === "-" && format === "systemd") {
    throw usage("--config is -, and a unit needs the path of a file");
  }
  for (
    const [flag, text] of Object.entries({
      host: flags.host,
      admin: flags.admin,
    })
  ) {
    if (text !== undefined && !/^[\w.:[\]-]+$/.test(text)) {
      throw usage(`--${flag} is ${JSON.stringify(text)}, which is no address`);
    }
  }
  // Nothing is started, so it does not matter who else may write the table.
  const source = new TableSource(flags.config, { isStrict: false });
  const { table, file } = await loadTable(source);
  const files = MAKERS[format](table, {
    file: flags.config === undefined ? undefined : resolve(flags.config),
    about: `Made by tcpmux export ${format} of ${JSON.stringify(file)}`,
    host: flags.host ?? hostname(),
    admin: flags.admin ?? adminOf(table),
  });
  if (flags.output === undefined) printOut(inOne(files));
  else {
    for (const [name, text] of Object.entries(files)) {
      printOut(`${written(join(flags.output, name), text)}\n`);
    }
  }
  return EXIT.done;
}

/** Prometheus asks by TCP: a Unix socket of the table is none of its targets. */
function adminOf({ server: { admin } }: Table): string {
  return admin?.transport === "tcp" ? formatEndpoint(admin) : "127.0.0.1:9101";
}

/** One as it is; several, each behind its name, as systemctl cat has them. */
function inOne(files: ExportedFiles): string {
  const all = Object.entries(files);
  if (all.length === 1) return all[0]![1];
  return all.map(([name, text]) => `# ${name}\n${text}`).join("\n");
}

/** @throws {TcpmuxError} where it cannot be written, or is there already */
function written(path: string, text: string): string {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    throw fromSystem(error, `cannot write ${path}`);
  }
  return path;
}
