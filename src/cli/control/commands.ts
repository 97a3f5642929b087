/** The commands that ask a running server what it does, or to change that. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import { visible } from "../../log.ts";
import type { SessionStatus, Status } from "../../status/status.ts";
import { formatProblem, TableError } from "../../table/problem.ts";
import { getEnv } from "../../transport/permission.ts";
import { pickTransport } from "../../transport/pick.ts";
import { EXIT, plural } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import {
  DISABLE,
  DRAIN,
  ENABLE,
  KILL,
  RELOAD,
  SESSIONS,
  STATUS,
} from "../spec/operators.ts";
import {
  endBy,
  onSignal,
  PATIENCE,
  printError,
  printOut,
  settlesWithin,
  stdoutIsTerminal,
} from "../system.ts";
import { ask, type CommandRequest } from "./ask.ts";
import { sessionsText, statusText } from "./status_text.ts";

const GET_STATUS = { method: "GET", path: "/status" } satisfies CommandRequest;

/** `tcpmux status`: once, or again and again at a terminal. */
export async function statusCommand(args: readonly string[]): Promise<number> {
  const { flags } = readCommandLine(args, STATUS, getEnv);
  const { json, quiet } = flags;
  if ([json, quiet, flags.watch].filter(Boolean).length > 1) {
    throw usage("--watch, --quiet and --json are three ways of showing it");
  }
  const get = () => ask<Status>(flags, GET_STATUS);
  if (flags.watch && stdoutIsTerminal()) {
    await watchStatus(get);
    return EXIT.done;
  }
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const status = await get();
  if (json) printOut(`${JSON.stringify(status)}\n`);
  else if (quiet) printLines(status.services.map(({ name }) => visible(name)));
  else printLines(statusText(status));
  return EXIT.done;
}

/** A server that was there once may come back. */
async function watchStatus(get: () => Promise<Status>): Promise<void> {
  let wasThere = false;
  await watch(async () => {
    try {
      const status = await get();
      wasThere = true;
      return statusText(status);
    } catch (error) {
      if (!wasThere) throw error;
      return [`tcpmux: ${visible(messageOf(error))}`];
    }
  });
}

/** `tcpmux sessions`: the connections under way. */
export async function sessionsCommand(
  args: readonly string[],
): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags } = readCommandLine(args, SESSIONS, getEnv);
  if (flags.json && flags.quiet) {
    throw usage("--quiet and --json are two ways of showing it");
  }
  const asking = { method: "GET", path: "/sessions" } as const;
  const sessions = await ask<SessionStatus[]>(flags, asking);
  if (flags.json) printOut(`${JSON.stringify(sessions)}\n`);
  else if (flags.quiet) printLines(sessions.map(({ id }) => String(id)));
  else printLines(sessionsText(sessions));
  return EXIT.done;
}

function printLines(lines: readonly string[]): void {
  printOut(lines.map((line) => `${line}\n`).join(""));
}

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

/** Milliseconds from one time that the status is shown to the next. */
const PERIOD = 1000;

// ECMA-48, and what xterm has added to it: the other screen, without a cursor,
// whose lines are cut off at its edge.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const CLEAR = "\x1b[2J";

/**
 * Shows lines at the terminal of standard output until a signal ends it, and
 * leaves that as it was.
 *
 * @param look gives the lines of each time
 */
async function watch(
  look: () => Promise<readonly string[]>,
): Promise<void> {
  const stop = new AbortController();
  const stopped = new Promise<undefined>((resolve) =>
    stop.signal.addEventListener("abort", () => resolve(undefined))
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    onSignal(signal, () => stop.abort());
  }
  const output = (await pickTransport()).output(1);
  const write = (text: string) => output.write(new TextEncoder().encode(text));
  let isShown = false;
  try {
    for (;;) {
      const lines = await Promise.race([look(), stopped]);
      if (lines === undefined) return;
      const text = isShown ? "" : ENTER;
      isShown = true;
      await Promise.race([write(text + screenOf(lines)), stopped]);
      await Promise.race([sleep(PERIOD, undefined, stop), stopped])
        .catch(() => {}); // stopped
    }
  } finally {
    if (isShown) await settlesWithin(PATIENCE, write(LEAVE));
  }
}

/**
 * From the last line to the first, each at its place: what has no place stands
 * in the terminal's last line, and gives way to the line that belongs there.
 */
function screenOf(lines: readonly string[]): string {
  return CLEAR +
    lines.map((line, at) => `\x1b[${at + 1};1H\x1b[K${line}`).reverse()
      .join("");
}
