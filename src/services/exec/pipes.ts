import type { ExecService } from "../../table/service.ts";
import type { PipedProcess, ProcessConn } from "../../transport/transport.ts";
import type {
  PreparedService,
  RunningService,
  SessionContext,
} from "../service.ts";
import { MergedConn } from "./merged.ts";
import { OrphanWatch } from "./orphans.ts";
import { type ExecCommand, startProgram } from "./start.ts";
import { SupervisedProcess } from "./supervised.ts";

/**
 * Starts a program on pipes, between which and the client bytes are relayed.
 *
 * @throws {TcpmuxError} where it cannot be started
 */
export async function openOnPipes(
  command: ExecCommand,
  service: ExecService,
  context: SessionContext,
): Promise<OpenedOnPipes> {
  const stderr = service.stderr === "null" ? "null" : "pipe";
  const program = await startProgram({ ...command, stderr }, context);
  return new OpenedOnPipes(program, service, context);
}

class OpenedOnPipes implements PreparedService {
  readonly kind = "opened";
  readonly message: string | undefined;
  readonly #program: PipedProcess;
  readonly #service: ExecService;
  readonly #context: SessionContext;

  constructor(
    program: PipedProcess,
    service: ExecService,
    context: SessionContext,
  ) {
    this.message = service.reply === "server" ? service.message : undefined;
    this.#program = program;
    this.#service = service;
    this.#context = context;
  }

  begin(): RunningService {
    return new RunningOnPipes(this.#program, this.#service, this.#context);
  }

  async discard(): Promise<void> {
    const program = this.#program;
    program.stdio.abort();
    await new SupervisedProcess(program, this.#service, this.#context).end();
  }
}

class RunningOnPipes implements RunningService {
  readonly peer: ProcessConn;
  readonly pid: number;
  readonly inputOver: Promise<void>;
  readonly #supervised: SupervisedProcess;
  readonly #orphans: OrphanWatch;

  constructor(
    program: PipedProcess,
    service: ExecService,
    context: SessionContext,
  ) {
    const supervised = new SupervisedProcess(program, service, context);
    this.pid = program.pid;
    this.peer = service.stderr === "client"
      ? new MergedConn(program.stdio, () => supervised.readStderr())
      : program.stdio;
    if (service.stderr === "log") supervised.logStderr();
    if (service.onClientEnd === "terminate") {
      program.stdio.inputEnded = () => supervised.endLater();
    }
    this.inputOver = program.exited.then(() => {});
    this.#supervised = supervised;
    const { killGrace } = service;
    this.#orphans = new OrphanWatch(program, this.peer, context, killGrace);
  }

  finish(): Promise<string> {
    this.#orphans.stop();
    this.peer.close();
    return this.#supervised.finish();
  }

  abort(): void {
    this.#orphans.stop();
    this.peer.abort();
    this.#supervised.abort();
  }
}
