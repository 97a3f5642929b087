/** Programs on Node: https://nodejs.org/api/child_process.html */
import type { ChildProcess } from "node:child_process";
import { openSync } from "node:fs";
import type { Socket } from "node:net";
import { type Endpoint, UNNAMED } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import type { Buffers } from "../buffers.ts";
import { inheritable } from "../spawning.ts";
import { netSpawn, type Rest } from "../net/process.ts";
import { NodeStreamsConn } from "../net/node_streams_conn.ts";
import type { Outlet, PushedConn } from "../pushed_conn.ts";
import type {
  Command,
  Conn,
  PipedProcess,
  ProcessConn,
  Pump,
} from "../transport.ts";
import { NodeConn, Reads } from "./conn.ts";
import { socketOf, takeHandle } from "./internals.ts";

/**
 * `Transport.spawn` for Node. The pipes that Node gives a program are Unix
 * sockets. As connections of ours they are faster than as streams of Node.
 */
export function nodeSpawn(
  command: Command,
  rest: Rest,
  timers: TimerList,
  buffers: Buffers,
): Promise<PipedProcess> {
  return netSpawn(command, rest, (child) => pipesOf(child, timers, buffers));
}

function pipesOf(
  child: ChildProcess,
  timers: TimerList,
  buffers: Buffers,
): ProcessConn {
  const [stdout, stdin] = [child.stdout as Socket, child.stdin as Socket];
  const connOf = (socket: Socket) => {
    const handle = takeHandle(socket);
    if (handle === undefined) return undefined;
    const reads = new Reads(buffers);
    const quiet = socketOf(handle, reads.onread);
    return new NodeConn(quiet, NO_ENDS, timers, reads);
  };
  const [output, input] = [connOf(stdout), connOf(stdin)];
  return output === undefined || input === undefined
    ? new NodeStreamsConn(stdout, stdin)
    : new NodePipes(output, input);
}

/** The ends of a pipe. */
const NO_ENDS = { local: UNNAMED, remote: UNNAMED };

/** A program's output and input, of which each can end before the other. */
class NodePipes implements ProcessConn, Outlet {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  readonly #output: NodeConn;
  readonly #input: NodeConn;

  constructor(output: NodeConn, input: NodeConn) {
    this.#output = output;
    this.#input = input;
  }

  get end(): undefined | null | Error {
    return this.#output.end;
  }

  get waiting(): boolean {
    return this.#output.waiting;
  }

  pour(bytes: Uint8Array, source: PushedConn): number {
    return this.#input.pour(bytes, source);
  }

  read(): Promise<Uint8Array | null> {
    return this.#output.read();
  }

  interrupt(error: Error): void {
    this.#output.interrupt(error);
  }

  endInput(): boolean {
    return this.#output.endInput();
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    return this.#output.pipeTo(sink, {
      moved: (_, count) => pump.moved(this, count),
      over: (_, end) => pump.over(this, end),
      sinkBroken: (_, error) => pump.sinkBroken(this, error),
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#input.write(bytes);
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

  isAlive(): Promise<boolean> {
    return this.#input.isAlive();
  }
}

/** The highest descriptor that is sealed: a program's list has no gaps. */
const HIGHEST = 1023;

/**
 * `Transport.sealInherited` for Node. Node by itself makes the lowest
 * descriptors close-on-exec, and has no function for the others. They must stay
 * open here (one may hold a lock), so a program is given /dev/null in place of
 * each.
 */
export class NodeSeal {
  rest: Rest = [];

  seal(): readonly number[] {
    const all = inheritable();
    const sealed = all.filter((fd) => fd <= HIGHEST);
    if (sealed.length > 0) {
      const nothing = openSync("/dev/null", "r+");
      const count = Math.max(...sealed) - 2;
      this.rest = Array.from(
        { length: count },
        (_, index) => sealed.includes(index + 3) ? nothing : "ignore",
      );
    }
    return all.filter((fd) => fd > HIGHEST);
  }
}
