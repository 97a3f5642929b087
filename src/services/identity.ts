import process from "node:process";
import { messageOf, TcpmuxError } from "../errors.ts";
import { Problems } from "../table/problem.ts";
import type { ExecService } from "../table/service.ts";
import type { Table } from "../table/table.ts";
import type { Transport } from "../transport/transport.ts";
import { DEFAULT_PATH, findProgram } from "./program.ts";

/** Whom a program runs as. */
export interface Identity {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /**
   * What to start the program with, so that it runs as that user and in all
   * of that user's groups; empty where nothing need change. It is setpriv(1):
   * no runtime sets supplementary groups.
   */
  readonly prefix: readonly string[];
}

/**
 * Finds the user and group of every program of a table.
 *
 * @throws {TableError} naming each user or group that does not exist or that
 * the server may not become
 */
export async function identitiesOf(
  table: Table,
  transport: Transport,
  file?: string,
): Promise<Map<ExecService, Identity>> {
  const identities = new Map<ExecService, Identity>();
  const problems = new Problems(file, table.located);
  for (const service of table.services) {
    if (service.kind !== "exec" || !service.enabled) continue;
    try {
      identities.set(service, await identityOf(service, transport));
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
    return { name: "", home: "/", shell: "", prefix: [] }; // a uid of no user
  }
}

function userOf(passwd: readonly string[]): Omit<Identity, "prefix"> {
  return { name: passwd[0]!, home: passwd[5]!, shell: passwd[6]! };
}

/** One line of a database of getent(1), which knows LDAP and the like too. */
async function entry(
  database: "passwd" | "group",
  key: string,
  transport: Transport,
): Promise<string[]> {
  const getent = findProgram("getent", DEFAULT_PATH);
  const child = await transport.spawn({
    program: getent,
    args: [database, key],
    env: {},
  });
  const decoder = new TextDecoder();
  let output = "";
  for (let bytes; (bytes = await child.stdio.read()) !== null;) {
    output += decoder.decode(bytes, { stream: true });
  }
  child.stdio.close();
  await child.exited;
  const fields = output.split("\n")[0]!.split(":");
  if (fields.length > 1) return fields;
  throw new TcpmuxError(
    "not_found",
    `there is no ${database === "passwd" ? "user" : "group"} ${
      JSON.stringify(key)
    } on this machine`,
  );
}
