/** The commands that change what a server does. */
import { formatProblem, TableError } from "../../table/problem.ts";
import { getEnv } from "../../transport/permission.ts";
import { EXIT, plural } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import { DISABLE, DRAIN, ENABLE, KILL, RELOAD } from "../spec/operators.ts";
import { endBy, printError, printOut } from "../system.ts";
import { visible } from "../../log.ts";
import { ask } from "./ask.ts";

/** `tcpmux reload`: whether the table was put in force. */
export async function reloadCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags } = readCommandLine(args, RELOAD, getEnv);
  try {
    const { table, services } = await ask<
      { readonly table: string; readonly services: number }
    >(flags, { method: "POST", path: "/reload" });
    const count = plural(services, "service");
    printOut(`${visible(table)}: ${count}, in force\n`);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    const { problems } = error;
    printError(problems.map((one) => `${formatProblem(one)}\n`).join(""));
    const count = plural(problems.length, "error");
    printError(`tcpmux: ${count}, so the old table stays in force\n`);
    return EXIT.config;
  }
}

/** `tcpmux enable`: what was switched off is on again. */
export function enableCommand(args: readonly string[]): Promise<number> {
  return switchCommand(args, ENABLE);
}

/** `tcpmux disable`: until it is enabled, or the server ends. */
export function disableCommand(args: readonly string[]): Promise<number> {
  return switchCommand(args, DISABLE);
}

async function switchCommand(
  args: readonly string[],
  command: typeof ENABLE | typeof DISABLE,
): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals } = readCommandLine(args, command, getEnv);
  const service = encodeURIComponent(positionals[0]);
  const path = `/services/${service}/${command.name}`;
  await ask(flags, { method: "POST", path });
  return EXIT.done;
}

/** `tcpmux kill`: ends sessions at once. */
export async function killCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals: [id] } = readCommandLine(args, KILL, getEnv);
  const { service, source } = flags;
  const hasOther = service !== undefined || source !== undefined;
  if (hasOther === (id !== undefined)) {
    throw usage("kill takes ID, or --service NAME and --source CIDR");
  }
  const number = id === undefined ? undefined : Number(id);
  if (number !== undefined && !Number.isSafeInteger(number)) {
    throw usage(`${JSON.stringify(id)} is not the number of a session`);
  }
  const { ended } = await ask<{ readonly ended: number }>(flags, {
    method: "POST",
    path: "/kill",
    body: { id: number, service, source },
  });
  printOut(`ended ${plural(ended, "session")}\n`);
  return EXIT.done;
}

/** `tcpmux drain`: the server ends with its last session. */
export async function drainCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags } = readCommandLine(args, DRAIN, getEnv);
  const { sessions } = await ask<{ readonly sessions: number }>(flags, {
    method: "POST",
    path: flags.wait ? "/drain?wait" : "/drain",
    lasts: flags.wait,
  });
  printOut(
    flags.wait
      ? "the server has ended\n"
      : `${plural(sessions, "session")} left, then the server ends\n`,
  );
  return EXIT.done;
}
