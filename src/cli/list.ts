import { list } from "../connect.ts";
import { getEnv } from "../transport/permission.ts";
import { clientOptions, withWait } from "./client.ts";
import { EXIT } from "./exit.ts";
import { readCommandLine } from "./flags.ts";
import { LIST } from "./spec/clients.ts";
import { printOut } from "./system.ts";

/** `tcpmux list`: the names of a server's services. */
export async function listCommand(args: readonly string[]): Promise<number> {
  const { flags, positionals: [server] } = readCommandLine(args, LIST, getEnv);
  const options = clientOptions(flags);
  const names = await withWait(flags.wait, () => list(server, options));
  if (flags.json) printOut(`${JSON.stringify(names)}\n`);
  else printOut(names.map((name) => `${name}\n`).join(""));
  return EXIT.done;
}
