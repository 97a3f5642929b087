import type { Readable, Writable } from "node:stream";
import { BunCarrier } from "./bun_carrier.ts";
import { BunConn } from "./bun_conn.ts";
import { startOnPipes, withStdio } from "./child.ts";
import type { Inbox } from "./inbox.ts";
import { inboxOf, PipeConn } from "./pipe_conn.ts";
import type { Carriage, Command, Conn, Program } from "./transport.ts";

/** `Transport.spawn` for Bun, by the streams of its `node:child_process`. */
export async function bunSpawn(command: Command): Promise<Program> {
  const child = await startOnPipes(command);
  return withStdio(child, new BunPipes(child.stdout!, child.stdin!));
}

/** What the program says goes straight to a connection of Bun's own. */
class BunPipes extends PipeConn {
  #inbox: Inbox;

  constructor(output: Readable, input: Writable) {
    const inbox = inboxOf(output);
    super(output, input, inbox);
    this.#inbox = inbox;
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    if (!(sink instanceof BunConn)) return false;
    this.#inbox.pourInto(new BunCarrier(this.#inbox, sink, carriage));
    return true;
  }
}
