/** Standard streams on Node: https://nodejs.org/api/process.html#process-io */
import {
  constants,
  createReadStream,
  fstatSync,
  openSync,
  type Stats,
} from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { isatty } from "node:tty";
import { fromSystem } from "../errno.ts";
import { NodeStreamsConn } from "../net/node_streams_conn.ts";
import {
  closeStdout,
  descriptorOutput,
  fileOutput,
} from "../net/stdio_conn.ts";
import type { Output } from "../system.ts";
import type { Conn } from "../transport.ts";
import { WriteQueue } from "../write_queue.ts";
import { blockingAgain } from "./internals.ts";

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

export function nodeStdio(): Conn {
  return new NodeStdio();
}

class NodeStdio extends NodeStreamsConn {
  readonly #output = nodeOutput(1);
  readonly #writes = new WriteQueue();
  readonly #input: Readable;
  #hasEnded = false;

  constructor() {
    const input = inputStream();
    super(input);
    this.#input = input;
  }

  override write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(() => this.#output.write(bytes));
  }

  override async closeWrite(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.#writes.settled();
    this.#output.release?.();
    closeStdout();
  }

  override close(): void {
    this.drop();
    this.#input.destroy();
  }
}

function inputStream(): Readable {
  const kind = kindOf(0);
  // Node treats a directory as an empty input; reading it is an error.
  if (kind?.isDirectory()) return createReadStream("", { fd: 0 });
  const own = kind?.isFIFO() ? openAgain(0, O_RDONLY) : undefined;
  if (own === undefined) return process.stdin;
  return new Socket({ fd: own, readable: true, writable: false });
}

/**
 * By itself, Node makes a pipe non-blocking for all its users, waits in a
 * terminal with all that the program does, and at its end waits for a thread
 * that is stuck in a write. A pipe or a terminal is therefore opened once more.
 */
export function nodeOutput(descriptor: 1 | 2): Output {
  const kind = kindOf(descriptor);
  if (isatty(descriptor)) {
    const own = openAgain(descriptor, O_WRONLY);
    return own === undefined
      ? endableOutput(descriptor)
      : descriptorOutput(own);
  }
  if (kind?.isFIFO()) {
    const own = openAgain(descriptor, O_WRONLY);
    return own === undefined
      ? sharedOutput(descriptor)
      : streamOutput(new Socket({ fd: own, readable: false, writable: true }));
  }
  if (kind?.isSocket()) return sharedOutput(descriptor);
  return fileOutput(descriptor) ?? endableOutput(descriptor);
}

function kindOf(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor);
  } catch {
    return undefined; // it is closed
  }
}

/**
 * Opens what a descriptor leads to once more, so that it is non-blocking for
 * this program alone. Undefined where the system has no /proc, or where another
 * user has made the pipe or the terminal.
 */
function openAgain(descriptor: number, flags: number): number | undefined {
  try {
    const path = `/proc/self/fd/${descriptor}`;
    return openSync(path, flags | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

function streamOutput(stream: Writable): Output {
  stream.on("error", () => {}); // each write reports its own failure
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => {
          if (error) reject(fromSystem(error, "cannot write"));
          else resolve();
        });
      }),
    release: () => void stream.destroy(),
  };
}

/** Node's own stream; while the program runs it is non-blocking for all. */
function sharedOutput(descriptor: 1 | 2): Output {
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  return { ...streamOutput(stream), release: blockingAgain(stream) };
}

/** A file or a device: a write that is stuck would hold up the end. */
function endableOutput(descriptor: number): Output {
  const { write } = descriptorOutput(descriptor);
  let writing = 0;
  process.on("exit", () => {
    if (writing > 0) process.kill(process.pid, "SIGKILL");
  });
  return {
    async write(bytes) {
      writing++;
      try {
        await write(bytes);
      } finally {
        writing--;
      }
    },
  };
}
