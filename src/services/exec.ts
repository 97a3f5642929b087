import { messageOf } from "../errors.ts";
import { unavailable } from "../policy/decide.ts";
import type { ExecService } from "../table/service.ts";
import { execEnv } from "./exec_env.ts";
import { OnPipes } from "./exec_pipes.ts";
import { OnSocket } from "./exec_socket.ts";
import type { Identity } from "./identity.ts";
import type { Opening, ServiceContext } from "./opened.ts";
import { checkFolder, findProgram } from "./program.ts";

/** A program that gets the connection as its standard input and output. */
export async function openExec(
  service: ExecService,
  context: ServiceContext,
  identity: Identity,
): Opening {
  try {
    const env = execEnv(service, identity, context);
    const [name, ...args] = service.exec;
    const words = [...identity.prefix, findProgram(name, env["PATH"]!)];
    if (service.cwd !== "") checkFolder(service.cwd);
    const command = {
      program: words[0]!,
      args: [...words.slice(1), ...args],
      env,
      ...(service.cwd === "" ? {} : { cwd: service.cwd }),
    };
    return service.stdio === "socket"
      ? new OnSocket(service, context, command)
      : await OnPipes.start(service, context, command);
  } catch (error) {
    return unavailable(messageOf(error));
  }
}
