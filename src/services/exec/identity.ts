import { codeOf, messageOf, TcpmuxError } from "../../errors.ts";
import { Problems } from "../../table/problem.ts";
import type { ExecService } from "../../table/service.ts";
import type { Table } from "../../table/table.ts";
import type { Transport } from "../../transport/transport.ts";
import { DEFAULT_PATH, findProgram } from "./find_program.ts";
import { LimitTools } from "./rlimits.ts";
import { runTool } from "./run_tool.ts";

/** The user that a program runs as, and how it becomes that user. */
export interface Identity {
  readonly uid: number;
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /**
   * The words of the tools that the program is started through: each tool
   * executes the next one, and the last executes the program. Empty where
   * nothing has to change. setpriv(1) is the last of them, because no runtime
   * sets a user's supplementary groups.
   */
  readonly tools: readonly string[];
}

/**
 * Finds the user and group of every program of a table, and the tools that
 * set its limits.
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
  const limits = new LimitTools(transport, problems);
  const isNeeded = table.services.some((service) =>
    service.kind === "exec" && service.onClientEnd === "terminate"
  );
  const serversUser = table.server.user;
  const lookUp = lookUpOnce(transport);
  const deathSignalOption = isNeeded ? await deathSignal(transport) : [];
  for (const service of table.services) {
    if (service.kind !== "exec" || !service.enabled) continue;
    try {
      const identity = await identityOf(
        service,
        lookUp,
        deathSignalOption,
        serversUser,
      );
      const tools = await limits.toolsFor(service, identity);
      identities.set(service, { ...identity, tools });
    } catch (error) {
      const key = service.user === "" ? "group" : "user";
      problems.add(["services", service.name, key], messageOf(error));
    }
  }
  problems.throwIfAny();
  return identities;
}

/**
 * The option of setpriv(1) with which a program gets SIGTERM when the server
 * dies; empty if this version of setpriv does not have it.
 */
async function deathSignal(transport: Transport): Promise<string[]> {
  if (!transport.abilities.programs) return [];
  const option = "--pdeathsig=TERM";
  try {
    const run = await runTool(["setpriv", option, "--", "true"], transport);
    return run.exit.code === 0 ? [option] : [];
  } catch (error) {
    if (codeOf(error) === "not_found") return [];
    throw error;
  }
}

/**
 * @param deathSignalOption of setpriv, for `on_client_end = "terminate"`
 * @param serversUser the `user` of `[server]`, which the server is or becomes
 */
async function identityOf(
  { user, group, onClientEnd }: ExecService,
  lookUp: LookUp,
  deathSignalOption: readonly string[],
  serversUser: string,
): Promise<Identity> {
  const options = onClientEnd === "terminate" ? deathSignalOption : [];
  const toolsFor = (options: readonly string[]) =>
    options.length === 0
      ? []
      : [findProgram("setpriv", DEFAULT_PATH), ...options, "--"];
  if (user === "" && group === "") {
    return { ...await own(lookUp), tools: toolsFor(options) };
  }
  const passwd = user === "" ? undefined : await lookUp("passwd", user);
  const gid = group === "" ? passwd![3]! : (await lookUp("group", group))[2]!;
  const isOwn =
    (passwd === undefined || passwd[2] === String(process.getuid?.())) &&
    gid === String(process.getgid?.());
  const identity = passwd === undefined ? await own(lookUp) : userOf(passwd);
  const isServers = serversUser !== "" && user === serversUser && group === "";
  if (isOwn || isServers) return { ...identity, tools: toolsFor(options) };
  if (process.getuid?.() !== 0 || serversUser !== "") {
    throw new TcpmuxError(
      "permission_denied",
      `cannot run a program as ${user || group}: the server does not run as ` +
        "root (start it as root, without user in [server], or remove the key)",
    );
  }
  return {
    ...identity,
    tools: toolsFor([
      ...(passwd === undefined ? [] : [`--reuid=${passwd[2]}`]),
      `--regid=${gid}`,
      passwd === undefined ? "--clear-groups" : "--init-groups",
      ...options,
    ]),
  };
}

/**
 * The server's own user, as far as it is known. `userInfo()` is not used: on
 * Bun it reads the environment, which must not reach a program.
 */
async function own(lookUp: LookUp): Promise<Identity> {
  try {
    const passwd = await lookUp("passwd", String(process.getuid!()));
    return { ...userOf(passwd), tools: [] };
  } catch {
    // No user has this uid.
    const uid = process.getuid?.() ?? -1;
    return { uid, name: "", home: "/", shell: "", tools: [] };
  }
}

function userOf(passwd: readonly string[]): Omit<Identity, "tools"> {
  const [name, , uid, , , home, shell] = passwd;
  return { uid: Number(uid), name: name!, home: home!, shell: shell! };
}

type LookUp = (database: "passwd" | "group", key: string) => Promise<string[]>;

/** Most programs of a table have one user: each is asked for once. */
function lookUpOnce(transport: Transport): LookUp {
  const found = new Map<string, Promise<string[]>>();
  return (database, key) => {
    const place = `${database} ${key}`;
    const line = found.get(place) ?? entry(database, key, transport);
    found.set(place, line);
    return line;
  };
}

/** One line of a database of getent(1), which knows LDAP and the like too. */
export async function entry(
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
