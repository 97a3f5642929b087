/** The user and the group that the server of a table becomes. */
import { messageOf, TcpmuxError } from "../errors.ts";
import { entry } from "../services/exec/identity.ts";
import { Problems } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import type { Transport } from "../transport/transport.ts";

/**
 * Looks up the user and the group of `[server]` on this machine.
 *
 * @param file the table's name, for errors
 * @returns what getent(1) gives as their numbers; undefined where the server
 * stays who it is
 * @throws {TableError} that names each of them that does not exist
 */
export async function serverUser(
  table: Table,
  transport: Transport,
  file?: string,
): Promise<{ readonly uid: string; readonly gid: string } | undefined> {
  const { user, group } = table.server;
  if (user === "") return undefined;
  const problems = new Problems(file, table.located);
  const lookUp = async (key: "user" | "group") => {
    const database = key === "user" ? "passwd" : key;
    try {
      return await entry(database, table.server[key], transport);
    } catch (error) {
      if (!(error instanceof TcpmuxError)) throw error;
      problems.add(["server", key], messageOf(error));
      return [];
    }
  };
  const [, , uid = "", own = ""] = await lookUp("user");
  const gid = group === "" ? own : (await lookUp("group"))[2] ?? "";
  problems.throwIfAny();
  return { uid, gid };
}
