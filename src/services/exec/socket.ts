import { drain } from "../../drain.ts";
import { TcpmuxError } from "../../errors.ts";
import type { ExecService } from "../../table/service.ts";
import type { Conn, SocketProcess } from "../../transport/transport.ts";
import type {
  PreparedService,
  RunningService,
  SessionContext,
} from "../service.ts";
import { openOnPipes } from "./pipes.ts";
import type { ExecCommand } from "./start.ts";
import { SupervisedProcess } from "./supervised.ts";

/**
 * A program on the client's own socket, as inetd starts it. The program may
 * write at once, so it is started only after the reply has been written.
 */
export class OpenedOnSocket implements PreparedService {
  readonly kind = "opened";
  readonly message: string | undefined;
  readonly #command: ExecCommand;
  readonly #service: ExecService;
  readonly #context: SessionContext;

  constructor(
    command: ExecCommand,
    service: ExecService,
    context: SessionContext,
  ) {
    this.message = service.reply === "server" ? service.message : undefined;
    this.#command = command;
    this.#service = service;
    this.#context = context;
  }

  /** @throws {TcpmuxError} where the program cannot be started */
  async begin(client: Conn): Promise<RunningService> {
    if (this.#context.isStopped) {
      throw new TcpmuxError("closed", "ended by the server");
    }
    const program = await this.#startOn(client);
    const running = program === undefined
      ? await this.#beginOnPipes()
      : this.#run(program);
    if (this.#context.isStopped) running.abort();
    return running;
  }

  abort(): void {}

  /** @returns undefined, and nothing has happened, where pipes are needed */
  async #startOn(client: Conn): Promise<SocketProcess | undefined> {
    const { early, server: { transport } } = this.#context;
    if (transport.spawnOn === undefined) return undefined;
    // A program that reads from the socket would never see the early bytes.
    const detached = early.length === 0 ? client.detach?.() : undefined;
    if (detached === undefined) return undefined;
    const { stderr } = this.#service;
    return await transport.spawnOn({
      ...this.#command,
      socket: detached,
      stderr: stderr === "log" ? "pipe" : stderr === "null" ? "null" : "socket",
    });
  }

  #run(program: SocketProcess): RunningService {
    const supervised = new SupervisedProcess(
      program,
      this.#service,
      this.#context,
    );
    if (this.#service.stderr === "log") supervised.logStderr();
    return {
      conn: undefined,
      pid: program.pid,
      finish: async () => {
        const note = await supervised.finish();
        await this.#close(await program.reclaim());
        return note;
      },
      abort: () => supervised.abort(),
    };
  }

  /** What the program has not read must not reset what it has written. */
  async #close(client: Conn | undefined): Promise<void> {
    if (client === undefined) return;
    if (this.#context.isStopped) client.abort();
    else await drain(client, this.#context.server.transport.timers);
  }

  async #beginOnPipes(): Promise<RunningService> {
    const { id, server } = this.#context;
    server.log("debug", "a program gets pipes instead of the socket", {
      conn: id,
      service: this.#service.name,
      reason: "bytes were already read from the socket, or it is closed",
    });
    const opened = await openOnPipes(
      this.#command,
      this.#service,
      this.#context,
    );
    return opened.begin();
  }
}
