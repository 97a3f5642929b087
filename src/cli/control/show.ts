/** The commands that show what a server does. */
import { messageOf } from "../../errors.ts";
import type { SessionStatus, Status } from "../../status/status.ts";
import { getEnv } from "../../transport/permission.ts";
import { EXIT } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import { SESSIONS, STATUS } from "../spec/operators.ts";
import { endBy, printOut, stdoutIsTerminal } from "../system.ts";
import { visible } from "../../log.ts";
import { ask, type CommandRequest } from "./ask.ts";
import { sessionsText, statusText } from "./status_text.ts";
import { watch } from "./watch.ts";

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
