import { messageOf, TcpmuxError } from "../../errors.ts";
import { unavailable } from "../../policy/decide.ts";
import type { ExecService } from "../../table/service.ts";
import { execEnv } from "./environment.ts";
import { OnPipes } from "./pipes.ts";
import { OnSocket } from "./socket.ts";
import type { Identity } from "./identity.ts";
import { takeLoaderWords } from "./loader_env.ts";
import type { Opening, ServiceContext } from "../opened.ts";
import { checkFolder, DEFAULT_PATH, findProgram } from "./find_program.ts";

/** A program that gets the connection as its standard input and output. */
export async function openExec(
  service: ExecService,
  context: ServiceContext,
  identity: Identity,
): Opening {
  try {
    const env = execEnv(service, identity, context);
    const [name, ...args] = service.exec;
    const program = findProgram(name, env["PATH"]!);
    const tools = toolsOf(identity, env, program);
    const words = [...tools, program];
    if (service.cwd !== "") checkFolder(service.cwd);
    const command = {
      program: words[0]!,
      args: [...words.slice(1), ...args],
      env,
      ...(service.cwd === "" ? {} : { cwd: service.cwd }),
      ...(service.umask === undefined ? {} : { umask: service.umask }),
    };
    return service.stdio === "socket"
      ? new OnSocket(service, context, command, tools)
      : await OnPipes.start(service, context, command, tools);
  } catch (error) {
    return unavailable(messageOf(error));
  }
}

/**
 * What the program is started through. What only the program's own libraries
 * may heed is taken out of the environment, and set by the last of the tools.
 */
function toolsOf(
  { prefix }: Identity,
  env: Record<string, string>,
  program: string,
): readonly string[] {
  if (prefix.length === 0) return prefix;
  const late = takeLoaderWords(env);
  if (late.length === 0) return prefix;
  if (!program.includes("=")) {
    return [...prefix, findProgram("env", DEFAULT_PATH), ...late];
  }
  throw new TcpmuxError(
    "unsupported",
    `cannot start ${program}: env(1), which is to set ${
      late.map((word) => word.slice(0, word.indexOf("="))).join(", ")
    }, takes its path for another variable`,
  );
}
