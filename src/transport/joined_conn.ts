import type { Endpoint } from "../endpoint.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Carriage, Conn, Intake, ProgramStdio } from "./transport.ts";

/**
 * Two connections as one: what comes is read from one of them, and what is
 * written goes to the other. So a program's output can end before its input.
 */
export class JoinedConn extends StreamConn implements ProgramStdio {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #output: ProgramStdio;
  #input: Conn;

  constructor(output: ProgramStdio, input: Conn) {
    super();
    this.local = output.local;
    this.remote = output.remote;
    this.#output = output;
    this.#input = input;
  }

  read(): Promise<Uint8Array | null> {
    return this.#output.read();
  }

  endRead(): boolean {
    return this.#output.endRead();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#input.write(bytes);
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    return this.#output.carryTo?.(sink, carriage) === true;
  }

  intake(): Intake {
    return { conn: this.#input, meter: undefined };
  }

  closeWrite(): Promise<void> {
    return this.#input.closeWrite();
  }

  close(): void {
    this.#input.close();
    this.#output.close();
  }

  abort(): void {
    this.#input.abort();
    this.#output.abort();
  }
}
