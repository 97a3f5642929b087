import type { ClientConn } from "../../client_conn.ts";
import { relay } from "../../relay.ts";
import type { ExecService } from "../../table/service.ts";
import type { Command, Program } from "../../transport/transport.ts";
import { Attended } from "./supervised.ts";
import { LeftBehind } from "./orphans.ts";
import type { Opened, ServiceContext } from "../opened.ts";
import { ProgramConn } from "./program_conn.ts";
import { startedThrough } from "./started.ts";

/** A program on pipes, between which and the client we carry the bytes. */
export class OnPipes implements Opened {
  readonly kind = "opened";
  readonly message: string | undefined;
  #service: ExecService;
  #context: ServiceContext;
  #program: Program;
  #attended: Attended;

  private constructor(
    service: ExecService,
    context: ServiceContext,
    program: Program,
  ) {
    this.message = service.reply === "server" ? service.message : undefined;
    this.#service = service;
    this.#context = context;
    this.#program = program;
    this.#attended = new Attended(program, service, context);
  }

  /**
   * @param tools the words of the command before the program's own
   * @throws {TcpmuxError} where it cannot be started
   */
  static async start(
    service: ExecService,
    context: ServiceContext,
    command: Command,
    tools: readonly string[],
  ): Promise<OnPipes> {
    const stderr = service.stderr === "null" ? "null" : "pipe";
    const { premises, ending } = context;
    const child = await premises.transport.spawn({ ...command, stderr });
    const program = tools.length === 0
      ? child
      : await startedThrough(tools, command, child, ending);
    return new OnPipes(service, context, program);
  }

  async serve(client: ClientConn): Promise<string> {
    const program = this.#program;
    const stderr = this.#attended.passStderr((bytes) => client.write(bytes));
    const toClient = this.#service.stderr === "client";
    const stdio = new ProgramConn(
      program.stdio,
      toClient ? stderr : undefined,
    );
    const watch = new LeftBehind(program, stdio, this.#service.killGrace);
    try {
      const exited = program.exited.then(() => {});
      await relay(client, stdio, this.#context.ending, exited);
      return await this.#attended.exit();
    } finally {
      watch.stop();
      stdio.close();
      await this.#attended.end(stderr);
    }
  }

  async discard(): Promise<void> {
    this.#program.stdio.abort();
    await this.#attended.end();
  }
}
