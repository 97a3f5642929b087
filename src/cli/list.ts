import { list } from "../list.ts";
import { getEnv } from "../transport/permission.ts";
import { CLIENT_FLAGS, clientOptions, withWait } from "./client_flags.ts";
import { EXIT } from "./exit.ts";
import { readFlags, usage } from "./flags.ts";
import { printOut } from "./system.ts";

export const LIST_FLAGS = {
  ...CLIENT_FLAGS,
  switches: [...CLIENT_FLAGS.switches, "json"],
  words: 1,
};

/** `tcpmux list`: the names of a server's services. */
export async function listCommand(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, LIST_FLAGS, getEnv);
  const [server] = flags.words;
  if (server === undefined) throw usage("list takes a server: HOST[:PORT]");
  const options = clientOptions(flags);
  const names = await withWait(flags, () => list(server, options));
  if (flags.on("json")) printOut(`${JSON.stringify(names)}\n`);
  else printOut(names.map((name) => `${name}\n`).join(""));
  return EXIT.done;
}
