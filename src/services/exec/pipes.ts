import type { Endpoint } from "../../endpoint.ts";
import type { ExecService } from "../../table/service.ts";
import { closedHere } from "../../transport/errno.ts";
import type { PipedProcess, ProcessConn } from "../../transport/transport.ts";
import type {
  PreparedService,
  RunningService,
  SessionContext,
} from "../service.ts";
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

  async abort(): Promise<void> {
    const program = this.#program;
    program.stdio.abort();
    await new SupervisedProcess(program, this.#service, this.#context).end();
  }
}

class RunningOnPipes implements RunningService {
  readonly conn: ProcessConn;
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
    this.conn = service.stderr === "client"
      ? new MergedConn(program.stdio, () => supervised.readStderr())
      : program.stdio;
    if (service.stderr === "log") supervised.logStderr();
    if (service.onClientEnd === "terminate") {
      program.stdio.inputEnded = () => supervised.endLater();
    }
    this.inputOver = program.exited.then(() => {});
    this.#supervised = supervised;
    const { killGrace } = service;
    this.#orphans = new OrphanWatch(program, this.conn, context, killGrace);
  }

  finish(): Promise<string> {
    this.#orphans.stop();
    this.conn.close();
    return this.#supervised.finish();
  }

  abort(): void {
    this.#orphans.stop();
    this.conn.abort();
    this.#supervised.abort();
  }
}

/** A piece of one source that waits for a reader. */
interface Held {
  readonly bytes: Uint8Array;
  readonly onRead: () => void;
}

interface Reader {
  resolve(bytes: Uint8Array | null): void;
  reject(error: Error): void;
}

/**
 * A program's standard input, and its standard output and standard error as one
 * input of ours, which ends when both have ended. Each of them has at most one
 * piece held here, so that a slow client holds the program back.
 */
export class MergedConn implements ProcessConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly waiting = false;
  end: undefined | null | Error = undefined;
  readonly #stdio: ProcessConn;
  readonly #held: Held[] = [];
  #reader: Reader | undefined;

  /** @param readStderr gives the next bytes, null at the end; never rejects */
  constructor(
    stdio: ProcessConn,
    readStderr: () => Promise<Uint8Array | null>,
  ) {
    this.#stdio = stdio;
    this.local = stdio.local;
    this.remote = stdio.remote;
    Promise.all([
      this.#take(() => stdio.read()),
      this.#take(readStderr),
    ]).then(() => this.#over(null), (error) => this.#over(error));
  }

  read(): Promise<Uint8Array | null> {
    if (this.#reader !== undefined) {
      return Promise.reject(new TypeError("a read is already under way"));
    }
    const held = this.#held.shift();
    if (held !== undefined) {
      held.onRead();
      return Promise.resolve(held.bytes);
    }
    if (this.end === null) return Promise.resolve(null);
    if (this.end !== undefined) return Promise.reject(this.end);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  interrupt(error: Error): void {
    this.#takeReader()?.reject(error);
  }

  endInput(): boolean {
    if (this.end !== undefined) return this.#held.length === 0;
    // Without a reader, the last piece is still on its way to the client, and
    // more may lie in the pipes behind it.
    if (this.#reader === undefined || !this.#stdio.endInput()) return false;
    this.#over(null);
    return true;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#stdio.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#stdio.closeWrite();
  }

  isAlive(): Promise<boolean> {
    return this.#stdio.isAlive();
  }

  close(): void {
    this.#stdio.close();
    this.#letGo();
  }

  abort(): void {
    this.#stdio.abort();
    this.#letGo();
  }

  #letGo(): void {
    this.#held.length = 0;
    this.#over(closedHere());
  }

  /** Hands on the pieces of one source until it ends. */
  async #take(read: () => Promise<Uint8Array | null>): Promise<void> {
    for (let bytes; (bytes = await read()) !== null;) {
      if (this.end !== undefined) return;
      const reader = this.#takeReader();
      if (reader !== undefined) reader.resolve(bytes);
      else await this.#hold(bytes);
    }
  }

  #hold(bytes: Uint8Array): Promise<void> {
    return new Promise((onRead) => this.#held.push({ bytes, onRead }));
  }

  #over(end: null | Error): void {
    if (this.end !== undefined) return;
    this.end = end;
    const reader = this.#takeReader();
    if (end === null) reader?.resolve(null);
    else reader?.reject(end);
  }

  #takeReader(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }
}
