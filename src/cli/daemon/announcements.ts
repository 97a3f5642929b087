/** What is printed on standard output while the program serves. */
import { codeOf, TcpmuxError } from "../../errors.ts";
import type { Output, Transport } from "../../transport/transport.ts";
import { WriteQueue } from "../../transport/write_queue.ts";
import { PATIENCE, settlesWithin } from "../system.ts";

export class Announcements {
  readonly #transport: Transport;
  readonly #onFailure: () => void;
  readonly #writes = new WriteQueue();
  #output: Output | undefined;
  #failure: unknown;

  /** @param onFailure called where one cannot be written */
  constructor(transport: Transport, onFailure: () => void) {
    this.#transport = transport;
    this.#onFailure = onFailure;
  }

  print(what: object | undefined): void {
    if (what === undefined) return;
    const output = this.#output ??= this.#transport.output(1);
    const line = new TextEncoder().encode(`${JSON.stringify(what)}\n`);
    this.#writes.run(() => output.write(line)).catch((error) => {
      if (codeOf(error) === "broken_pipe") return; // its reader has closed it
      this.#failure ??= error;
      this.#onFailure();
    });
  }

  /** @throws {TcpmuxError} where not all has been written in time */
  async over(): Promise<void> {
    const isWritten = await settlesWithin(PATIENCE, this.#writes.settled());
    if (this.#failure !== undefined) throw this.#failure;
    if (isWritten) return;
    throw new TcpmuxError(
      "failed",
      "cannot write to standard output: its reader does not read",
    );
  }
}
