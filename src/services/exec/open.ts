import { TcpmuxError } from "../../errors.ts";
import { unavailable } from "../../policy/refusal.ts";
import type { ExecService } from "../../table/service.ts";
import type { Opening, SessionContext } from "../service.ts";
import { execEnv, takeLoaderVariables } from "./environment.ts";
import {
  checkFolder,
  DEFAULT_PATH,
  findProgram,
  programOf,
} from "./find_program.ts";
import type { Identity } from "./identity.ts";
import { openOnPipes } from "./pipes.ts";
import { OpenedOnSocket } from "./socket.ts";
import type { ExecCommand } from "./start.ts";

/**
 * Opens a program that gets the connection as its standard input and output: on
 * pipes it starts now, on the client's own socket only behind the reply.
 */
export async function openExec(
  service: ExecService,
  context: SessionContext,
  identity: Identity,
): Opening {
  try {
    const command = commandOf(service, context, identity);
    return service.stdio === "socket"
      ? new OpenedOnSocket(command, service, context)
      : await openOnPipes(command, service, context);
  } catch (error) {
    if (!(error instanceof TcpmuxError)) throw error;
    return unavailable(error.message);
  }
}

/** @throws {TcpmuxError} where the program or its folder is missing */
function commandOf(
  service: ExecService,
  context: SessionContext,
  identity: Identity,
): ExecCommand {
  const env = execEnv(service, identity, context);
  const [, ...args] = service.exec;
  checkFolder(service);
  const file = programOf(service, context.server.getEnv);
  const tools = takeTools(identity, env, file);
  const [program, ...words] = [...tools, file];
  return {
    program: program!,
    args: [...words, ...args],
    tools,
    env,
    ...(service.cwd === "" ? {} : { cwd: service.cwd }),
    ...(service.umask === undefined ? {} : { umask: service.umask }),
  };
}

/**
 * The words of the tools that a program is started through. Variables of the
 * loader are taken out of `env`, because the tools must not obey them: env(1),
 * as the last tool, sets them for the program alone.
 */
function takeTools(
  { tools }: Identity,
  env: Record<string, string>,
  file: string,
): readonly string[] {
  if (tools.length === 0) return tools;
  const variables = takeLoaderVariables(env);
  if (variables.length === 0) return tools;
  if (!file.includes("=")) {
    return [...tools, findProgram("env", DEFAULT_PATH), ...variables];
  }
  throw new TcpmuxError(
    "unsupported",
    `cannot start ${file}: env(1), which sets ${
      variables.map((word) => word.slice(0, word.indexOf("="))).join(", ")
    }, takes a path with "=" for a variable`,
  );
}
