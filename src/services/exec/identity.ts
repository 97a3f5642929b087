import process from "node:process";
import { messageOf, TcpmuxError } from "../../errors.ts";
import { Problems } from "../../table/problem.ts";
import type { ExecService } from "../../table/service.ts";
import type { Table } from "../../table/table.ts";
import type { Transport } from "../../transport/transport.ts";
import { Limiter } from "./limiter.ts";
import { DEFAULT_PATH, findProgram } from "./find_program.ts";
import { runTool } from "./run_tool.ts";

/** Whom a program runs as. */
export interface Identity {
  readonly uid: number;
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /**
   * The tools that the program is started through, each of which becomes the
   * next; empty where nothing need change. The last of them is setpriv(1), so
   * that it runs as that user and in all of that user's groups: no runtime
   * sets supplementary groups.
   */
  readonly prefix: readonly string[];
}

/**
 * Finds the user and group of every program of a table, and how it gets its
 * limits.
 *
 * @throws {TableError} naming each user or group that does not exist or that
 * the server may not become, and each limit that it cannot set
 */
export async function identitiesOf(
  table: Table,
  transport: Transport,
  file?: string,
): Promise<Map<ExecService, Identity>> {
  const identities = new Map<ExecService, Identity>();
  const problems = new Problems(file, table.located);
  const limiter = new Limiter(transport, problems);
  for (const service of table.services) {
    if (service.kind !== "exec" || !service.enabled) continue;
    try {
      const identity = await identityOf(service, transport);
      const prefix = await limiter.prefix(service, identity);
      identities.set(service, { ...identity, prefix });
    } catch (error) {
      const key = service.user === "" ? "group" : "user";
      problems.add(["services", service.name, key], messageOf(error));
    }
  }
  problems.throwIfAny();
  return identities;
}

async function identityOf(
  { user, group }: ExecService,
  transport: Transport,
): Promise<Identity> {
  if (user === "" && group === "") return own(transport);
  const passwd = user === ""
    ? undefined
    : await entry("passwd", user, transport);
  const gid = group === ""
    ? passwd![3]!
    : (await entry("group", group, transport))[2]!;
  const isOwn =
    (passwd === undefined || passwd[2] === String(process.getuid?.())) &&
    gid === String(process.getgid?.());
  const identity = passwd === undefined ? await own(transport) : userOf(passwd);
  if (isOwn) return { ...identity, prefix: [] };
  if (process.getuid?.() !== 0) {
    throw new TcpmuxError(
      "permission_denied",
      `cannot run a program as ${user || group}: only a server that was ` +
        "started as root can (start it as root, or take the key out)",
    );
  }
  const setpriv = findProgram("setpriv", DEFAULT_PATH);
  return {
    ...identity,
    prefix: [
      setpriv,
      ...(passwd === undefined ? [] : [`--reuid=${passwd[2]}`]),
      `--regid=${gid}`,
      passwd === undefined ? "--clear-groups" : "--init-groups",
      "--",
    ],
  };
}

/**
 * The server's own user, as far as that is known. Not by `userInfo()`: Bun's
 * believes the environment, which is not to reach a program.
 */
async function own(transport: Transport): Promise<Identity> {
  try {
    const passwd = await entry("passwd", String(process.getuid!()), transport);
    return { ...userOf(passwd), prefix: [] };
  } catch {
    // A uid of no user.
    const uid = process.getuid?.() ?? -1;
    return { uid, name: "", home: "/", shell: "", prefix: [] };
  }
}

function userOf(passwd: readonly string[]): Omit<Identity, "prefix"> {
  const [name, , uid, , , home, shell] = passwd;
  return { uid: Number(uid), name: name!, home: home!, shell: shell! };
}

/** One line of a database of getent(1), which knows LDAP and the like too. */
async function entry(
  database: "passwd" | "group",
  key: string,
  transport: Transport,
): Promise<string[]> {
  const { output } = await runTool(["getent", database, key], transport);
  const fields = output.split("\n")[0]!.split(":");
  if (fields.length > 1) return fields;
  throw new TcpmuxError(
    "not_found",
    `there is no ${database === "passwd" ? "user" : "group"} ${
      JSON.stringify(key)
    } on this machine`,
  );
}
