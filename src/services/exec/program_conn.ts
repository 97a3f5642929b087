import type { Endpoint } from "../../endpoint.ts";
import { StreamConn } from "../../transport/stream_conn.ts";
import type {
  Carriage,
  Conn,
  Intake,
  Meter,
  ProgramStdio,
} from "../../transport/transport.ts";

/** A program's standard input and output, as the relay's other side. */
export class ProgramConn extends StreamConn implements ProgramStdio {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Bytes of its output so far. */
  outputBytes = 0;
  #stdio: ProgramStdio;
  #alsoOutput: Promise<void> | undefined;
  #end: () => void = () => {};
  /** Resolves when the output is over, whatever else would be sent as it. */
  #over = new Promise<void>((resolve) => this.#end = resolve);

  /** @param alsoOutput resolves when what else is sent as output has ended */
  constructor(stdio: ProgramStdio, alsoOutput?: Promise<void>) {
    super();
    this.#stdio = stdio;
    this.#alsoOutput = alsoOutput;
    this.local = stdio.local;
    this.remote = stdio.remote;
  }

  async read(): Promise<Uint8Array | null> {
    const bytes = await this.#stdio.read();
    if (bytes !== null) this.outputBytes += bytes.length;
    else await Promise.race([this.#alsoOutput, this.#over]);
    return bytes;
  }

  endRead(): boolean {
    const isOver = this.#stdio.endRead();
    if (isOver) this.#end();
    return isOver;
  }

  /** What else is output is written by us, between the pieces of this. */
  carryTo(sink: Conn, carriage: Carriage): boolean {
    return this.#alsoOutput === undefined &&
      this.#stdio.carryTo?.(sink, new Counted(carriage, this)) === true;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#stdio.write(bytes);
  }

  intake(): Intake {
    return this.#stdio.intake?.() ?? { conn: this.#stdio, meter: undefined };
  }

  closeWrite(): Promise<void> {
    return this.#stdio.closeWrite();
  }

  close(): void {
    this.#stdio.close();
  }

  abort(): void {
    this.#stdio.abort();
  }
}

/** Counts a program's output on its way. */
class Counted implements Carriage {
  source: Meter | undefined;
  #carriage: Carriage;
  #program: ProgramConn;

  constructor(carriage: Carriage, program: ProgramConn) {
    this.#carriage = carriage;
    this.#program = program;
  }

  moved(count: number): void {
    this.#program.outputBytes += count;
    this.#carriage.moved(count);
  }

  ended(): void {
    this.#carriage.ended();
  }

  sinkBroken(error: unknown): void {
    this.#carriage.sinkBroken(error);
  }

  failed(error: unknown): void {
    this.#carriage.failed(error);
  }
}
