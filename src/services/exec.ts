import { setTimeout as sleep } from "node:timers/promises";
import type { ClientConn } from "../client_conn.ts";
import { messageOf } from "../errors.ts";
import { unavailable } from "../policy/decide.ts";
import { relay } from "../relay.ts";
import type { ExecService } from "../table/service.ts";
import type { LogLevel } from "../table/table.ts";
import type { Exit, Process } from "../transport/transport.ts";
import { endGroup } from "./end_group.ts";
import { execEnv } from "./exec_env.ts";
import type { Identity } from "./identity.ts";
import type { Opened, Opening, ServiceContext } from "./opened.ts";
import { checkFolder, findProgram } from "./program.ts";
import { ProgramConn } from "./program_conn.ts";
import { stderrLines } from "./stderr_lines.ts";

/** Milliseconds for the last lines of a program that has ended. */
const STDERR_GRACE = 500;

/** A program that gets the connection as its standard input and output. */
export async function openExec(
  service: ExecService,
  context: ServiceContext,
  identity: Identity,
): Opening {
  try {
    const env = execEnv(service, identity, context);
    const [name, ...args] = service.exec;
    const words = [...identity.prefix, await findProgram(name, env["PATH"]!)];
    if (service.cwd !== "") await checkFolder(service.cwd);
    const program = await context.transport.spawn({
      program: words[0]!,
      args: [...words.slice(1), ...args],
      env,
      ...(service.cwd === "" ? {} : { cwd: service.cwd }),
      stderr: service.stderr === "null" ? "null" : "pipe",
    });
    return new Running(service, context, program);
  } catch (error) {
    return unavailable(messageOf(error));
  }
}

class Running implements Opened {
  readonly kind = "opened";
  readonly message: string | undefined;
  #service: ExecService;
  #context: ServiceContext;
  #program: Process;

  constructor(
    service: ExecService,
    context: ServiceContext,
    program: Process,
  ) {
    this.message = service.reply === "server" ? service.message : undefined;
    this.#service = service;
    this.#context = context;
    this.#program = program;
  }

  async serve(client: ClientConn): Promise<string> {
    const program = this.#program;
    const stderr = this.#passStderr(client);
    const toClient = this.#service.stderr === "client";
    const stdio = new ProgramConn(
      program.stdio,
      toClient ? stderr : Promise.resolve(),
    );
    const stopWatch = this.#endOutputAfterExit(stdio);
    try {
      const exited = program.exited.then(() => {});
      await relay(client, stdio, this.#context.ending, exited);
      return noteOf(await this.#exit());
    } finally {
      stopWatch();
      stdio.close();
      await this.#end();
      // Usually it has ended too; but a daemon may have kept it.
      await Promise.race([stderr, sleep(STDERR_GRACE)]);
      program.closeStderr();
    }
  }

  async discard(): Promise<void> {
    this.#program.stdio.abort();
    await this.#end();
  }

  /** The program may have closed its output, but has all time to end. */
  async #exit(): Promise<Exit | undefined> {
    const { ending } = this.#context;
    let stop: (() => void) | undefined;
    const stopped = new Promise<undefined>((resolve) => {
      stop = () => resolve(undefined);
      if (ending.aborted) stop();
      else ending.addEventListener("abort", stop);
    });
    try {
      return await Promise.race([this.#program.exited, stopped]);
    } finally {
      ending.removeEventListener("abort", stop!);
    }
  }

  async #end(): Promise<void> {
    try {
      await endGroup(this.#program, this.#service.killGrace);
    } catch (error) {
      this.#log("error", "cannot end a program", messageOf(error));
    }
  }

  /**
   * A program that has ended may have left somebody behind who still holds
   * its output: they get the grace to end it too.
   *
   * @returns ends the watch
   */
  #endOutputAfterExit(stdio: ProgramConn): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    this.#program.exited.then(() => {
      if (over) return;
      timer = setTimeout(() => stdio.endOutput(), this.#service.killGrace);
    });
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }

  async #passStderr(client: ClientConn): Promise<void> {
    try {
      if (this.#service.stderr === "client") {
        for (let bytes; (bytes = await this.#program.readStderr()) !== null;) {
          await client.write(bytes);
        }
      } else if (this.#service.stderr === "log") {
        await stderrLines(this.#program, (text) => {
          this.#log("info", "stderr", text);
        });
      }
    } catch (error) {
      this.#log("debug", "standard error broke off", messageOf(error));
    }
  }

  #log(level: LogLevel, message: string, text: string): void {
    this.#context.log(level, message, {
      conn: this.#context.id,
      service: this.#service.name,
      pid: this.#program.pid,
      text,
    });
  }
}

function noteOf(exit: Exit | undefined): string {
  if (exit === undefined) return "the program was ended";
  if (exit.signal !== null) return `the program ended by ${exit.signal}`;
  return exit.code === 0 ? "" : `the program exited with status ${exit.code}`;
}
