import { chownSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { freePort, withDaemon, withFolder } from "./daemon.ts";
import { findProgram, skip } from "./needs.ts";
import { mustRun, run } from "./run.ts";
import { until } from "./wait.ts";

/** Debian keeps the programs of each version in a folder of its own. */
function folderOfPrograms(): string | undefined {
  const versions = "/usr/lib/postgresql";
  try {
    const newest = readdirSync(versions).map(Number).sort((a, b) => b - a)[0];
    return findProgram("psql") && `${versions}/${newest}/bin`;
  } catch {
    return undefined; // not installed
  }
}

/** The options of a test that takes PostgreSQL. */
export function needsPostgres(): { skip?: string } {
  return folderOfPrograms() === undefined
    ? skip("not installed: postgresql")
    : {};
}

export interface Postgres {
  readonly port: number;
  /** The path of its Unix socket. */
  readonly socket: string;
  /** The words of a psql that is connected to this port. */
  psql(port: number): string[];
}

/** Runs `use` with a PostgreSQL of its own data. */
export function withPostgres(
  use: (postgres: Postgres) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const programs = folderOfPrograms();
    const data = join(folder, "data");
    const port = await freePort();
    // It refuses to run as root.
    const asUser: string[] = [];
    if (process.getuid?.() === 0) {
      asUser.push("setpriv", "--reuid=postgres", "--regid=postgres");
      asUser.push("--init-groups");
      const number = async (flag: string) =>
        Number((await mustRun(["id", flag, "postgres"])).stdout);
      chownSync(folder, await number("-u"), await number("-g"));
    }
    await mustRun([
      ...[...asUser, `${programs}/initdb`, "--pgdata", data, "--no-sync"],
      ...["--username=tester", "--auth=trust", "--encoding=UTF8"],
      "--locale=C",
    ], { timeout: 300_000 });
    const psql = (port: number) => [
      ...["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"],
      ...["--set=ON_ERROR_STOP=1", "--host=127.0.0.1", `--port=${port}`],
      ...["--username=tester", "--dbname=postgres"],
    ];
    const server = [...asUser, `${programs}/postgres`, "-D", data];
    server.push("-p", String(port), "-h", "127.0.0.1", "-k", folder);
    server.push("-c", "fsync=off");
    await withDaemon(server, port, async () => {
      await until(
        "PostgreSQL takes queries",
        async () => (await run([...psql(port), "-c", "select 1"])).code === 0,
      );
      await use({ port, socket: join(folder, `.s.PGSQL.${port}`), psql });
    });
  });
}
