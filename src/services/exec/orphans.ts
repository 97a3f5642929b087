import { after, type Timeout } from "../../timers.ts";
import type { Program } from "../../transport/transport.ts";
import type { ProgramConn } from "./program_conn.ts";

/** Milliseconds between looks at whether anything still comes. */
const LOOK_AGAIN = 250;

/** More than a pipe and our buffers hold of what a program wrote itself. */
const MAX_OWN_OUTPUT = 1024 * 1024;

/**
 * A program that has ended may have left somebody behind who still holds its
 * output. They get the grace to end it too; then it is over as soon as
 * nothing comes any more. What the program itself wrote is delivered, however
 * slow its reader is.
 */
export class LeftBehind {
  #stdio: ProgramConn;
  #ownOutput = Infinity;
  #before = -1;
  #timeout: Timeout | undefined;
  #over = false;

  /** @param grace milliseconds */
  constructor(program: Program, stdio: ProgramConn, grace: number) {
    this.#stdio = stdio;
    program.exited.then(() => {
      this.#ownOutput = stdio.outputBytes + MAX_OWN_OUTPUT;
      if (!this.#over) this.#timeout = after(grace, this.#look);
    });
  }

  stop(): void {
    this.#over = true;
    this.#timeout?.cancel();
  }

  #look = (): void => {
    const { outputBytes } = this.#stdio;
    const isDone = outputBytes === this.#before ||
      outputBytes > this.#ownOutput;
    this.#before = outputBytes;
    if (isDone && this.#stdio.endRead()) return;
    this.#timeout = after(LOOK_AGAIN, this.#look);
  };
}
