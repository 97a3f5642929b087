import type { ClientConn } from "../../client_conn.ts";
import { TcpmuxError } from "../../errors.ts";
import type { ExecService } from "../../table/service.ts";
import type { Command, Process } from "../../transport/transport.ts";
import { Attended } from "./supervised.ts";
import { OnPipes } from "./pipes.ts";
import type { Opened, ServiceContext } from "../opened.ts";

/**
 * A program on the client's own socket, as inetd starts it. It may write at
 * once, so it is started only when our reply has been written.
 */
export class OnSocket implements Opened {
  readonly kind = "opened";
  readonly message: string | undefined;
  #service: ExecService;
  #context: ServiceContext;
  #command: Command;
  #tools: readonly string[];

  constructor(
    service: ExecService,
    context: ServiceContext,
    command: Command,
    tools: readonly string[],
  ) {
    this.message = service.reply === "server" ? service.message : undefined;
    this.#service = service;
    this.#context = context;
    this.#command = command;
    this.#tools = tools;
  }

  async serve(client: ClientConn): Promise<string> {
    const { ending } = this.#context;
    if (ending.aborted) throw new TcpmuxError("closed", "ended by the server");
    const program = await this.#startOn(client);
    if (program === undefined) return await this.#serveOnPipes(client);
    const attended = new Attended(program, this.#service, this.#context);
    const stderr = attended.passStderr();
    try {
      return await attended.exit();
    } finally {
      await attended.end(stderr);
    }
  }

  discard(): void {}

  /** @returns undefined, and nothing has happened, where that cannot be */
  async #startOn(client: ClientConn): Promise<Process | undefined> {
    const { transport } = this.#context.premises;
    const { stderr } = this.#service;
    if (transport.spawnOn === undefined) return undefined;
    const detached = client.detach();
    if (detached === undefined) return undefined;
    const program = await transport.spawnOn({
      ...this.#command,
      socket: detached.fd,
      stderr: stderr === "log" ? "pipe" : stderr === "null" ? "null" : "socket",
    });
    detached.release();
    return program;
  }

  /** What was read already would be lost to who reads from the socket. */
  async #serveOnPipes(client: ClientConn): Promise<string> {
    this.#context.premises.log("debug", "pipes in place of the socket", {
      conn: this.#context.id,
      service: this.#service.name,
      reason: "bytes were read from it already, or it is over",
    });
    const piped = await OnPipes.start(
      this.#service,
      this.#context,
      this.#command,
      this.#tools,
    );
    return await piped.serve(client);
  }
}
