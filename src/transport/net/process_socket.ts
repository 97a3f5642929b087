import { type Peer, UNNAMED } from "../../endpoint.ts";
import { codeOf } from "../../errors.ts";
import type { Outlet, PushedConn } from "../pushed_conn.ts";
import { WrappedConn } from "../stream_conn.ts";
import type {
  Command,
  Conn,
  Detached,
  PipedProcess,
  Process,
  ProcessConn,
  Pump,
} from "../transport.ts";

/** The ends of a program's socket, which have no names. */
export const NO_ENDS: Peer = { local: UNNAMED, remote: UNNAMED };

/** Our end of the socket of a program. */
export interface OurEnd extends Conn, Outlet {
  pipeTo(sink: Conn, pump: Pump): boolean;
  endInput(): boolean;
}

/** Two ends of one Unix socket, for a program and for us. */
export interface SocketPair {
  readonly ours: OurEnd;
  /** A descriptor for the program, which nothing here reads from. */
  readonly theirs: Detached;
}

/**
 * `Transport.spawn` where a program can be given a socket: one end of a pair is
 * its standard input and output both, as with inetd(8). What it writes to
 * either arrives, and it finds a socket where it looks for one.
 *
 * @param pair both of its ends are this function's from now on
 */
export async function spawnOnPair(
  command: Command,
  pair: SocketPair,
  spawnOn: (command: Command, socket: number) => Promise<Process>,
): Promise<PipedProcess> {
  const { ours, theirs } = pair;
  try {
    const program = await spawnOn(command, theirs.fd);
    return Object.assign(program, { stdio: new ProcessSocket(ours) });
  } catch (error) {
    ours.abort();
    throw error;
  } finally {
    theirs.release();
  }
}

/**
 * A program's standard input and output. A program that ends without having
 * read all of its input resets the connection, behind all that it has written:
 * for a program that is an end as any other.
 */
class ProcessSocket extends WrappedConn<OurEnd> implements ProcessConn, Outlet {
  inputEnded: (() => void) | undefined = undefined;

  override get end(): undefined | null | Error {
    return unlessReset(super.end);
  }

  override async read(): Promise<Uint8Array | null> {
    try {
      return await super.read();
    } catch (error) {
      const end = unlessReset(error as Error);
      if (end !== null) throw end;
      return null;
    }
  }

  override closeWrite(): Promise<void> {
    this.inputEnded?.();
    return super.closeWrite();
  }

  endInput(): boolean {
    return this.inner.endInput();
  }

  pour(bytes: Uint8Array, source: PushedConn): number {
    return this.inner.pour(bytes, source);
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    return this.inner.pipeTo(sink, {
      moved: (_, count) => pump.moved(this, count),
      held: () => pump.held(this),
      over: (_, end) => pump.over(this, unlessReset(end) ?? null),
      sinkBroken: (_, error) => pump.sinkBroken(this, error),
    });
  }
}

function unlessReset(end: undefined | null | Error): undefined | null | Error {
  return codeOf(end) === "connection_reset" ? null : end;
}
