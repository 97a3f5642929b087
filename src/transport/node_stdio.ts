import { closeSync, fstatSync } from "node:fs";
import { Socket, type SocketConstructorOpts } from "node:net";
import process from "node:process";
import type { Readable } from "node:stream";
import { Inbox } from "./inbox.ts";
import { type OutletConn, pour } from "./net_carrier.ts";
import { NodeReads } from "./node_reads.ts";
import { endWith, inboxOf, PipeConn } from "./pipe_conn.ts";
import type { Carriage, Conn } from "./transport.ts";

const STDIN = 0;
const STDOUT = 1;

/** This program's standard input and output, for Node. */
export function nodeStdio(): Conn {
  return new OwnStdio(isStream() ? streamInput() : otherInput());
}

interface Input {
  readonly stream: Readable;
  readonly inbox: Inbox;
}

/** Whether standard input is a pipe or a socket. */
function isStream(): boolean {
  const stat = fstatSync(STDIN);
  return stat.isFIFO() || stat.isSocket();
}

/** What `process.stdin` would be, but with buffers that are used again. */
function streamInput(): Input {
  const reads = new NodeReads();
  const options: SocketConstructorOpts & { manualStart: boolean } = {
    fd: STDIN,
    readable: true,
    writable: false,
    manualStart: true, // as there: nothing is read unasked
    onread: reads.onread,
  };
  const stream = new Socket(options);
  const inbox = new Inbox(reads, 64 * 1024, true);
  reads.pourInto(stream, inbox);
  endWith(stream, inbox);
  return { stream, inbox };
}

function otherInput(): Input {
  return { stream: process.stdin, inbox: inboxOf(process.stdin) };
}

class OwnStdio extends PipeConn implements OutletConn {
  readonly outlet = process.stdout;
  #inbox: Inbox;
  #ended = false;

  constructor({ stream, inbox }: Input) {
    super(stream, process.stdout, inbox);
    this.#inbox = inbox;
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    return pour(this.#inbox, sink, carriage);
  }

  /** Really closes it, so that whoever reads it sees the end. */
  override closeWrite(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#ended = true;
    return new Promise((resolve) => {
      process.stdout.write("", () => {
        closeStdout();
        resolve();
      });
    });
  }
}

export function closeStdout(): void {
  try {
    closeSync(STDOUT);
  } catch {
    // It was closed when the program began, or by its reader's death.
  }
}
