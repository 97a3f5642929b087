import type { Timer } from "../../timers.ts";
import type { PipedProcess, ProcessConn } from "../../transport/transport.ts";
import type { SessionContext } from "../service.ts";

/** Milliseconds between two checks whether output still comes. */
const LOOK_AGAIN = 250;

/** Bytes: more than a pipe and our buffers hold of a program's own output. */
const MAX_OWN_OUTPUT = 1024 * 1024;

/**
 * Ends the output of a program that has exited while its orphans (processes
 * that it started and that still run) hold the output open. Orphans have the
 * grace time to end it themselves. Then it is ended as soon as no byte has
 * moved between two checks. What the program itself wrote is delivered, however
 * slow the client is.
 */
export class OrphanWatch {
  readonly #output: ProcessConn;
  readonly #context: SessionContext;
  /** Once the client got more bytes than this, the latest are the orphans'. */
  #ownOutput = Infinity;
  #bytesBefore = -1;
  #timer: Timer | undefined;
  #stopped = false;

  /**
   * @param output the program's output, as it is sent to the client
   * @param grace milliseconds
   */
  constructor(
    program: PipedProcess,
    output: ProcessConn,
    context: SessionContext,
    grace: number,
  ) {
    this.#output = output;
    this.#context = context;
    program.exited.then(() => {
      if (this.#stopped) return;
      this.#ownOutput = context.bytesOut + MAX_OWN_OUTPUT;
      this.#lookAfter(Math.max(1, grace)); // 0 would set no limit
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  expired(): void {
    if (this.#stopped) return;
    const { bytesOut } = this.#context;
    const isDone = bytesOut === this.#bytesBefore || bytesOut > this.#ownOutput;
    this.#bytesBefore = bytesOut;
    if (isDone && this.#output.endInput()) return;
    this.#lookAfter(LOOK_AGAIN);
  }

  #lookAfter(milliseconds: number): void {
    const { timers } = this.#context.server.transport;
    this.#timer = timers.after(milliseconds, this);
  }
}
