/** The C library on Deno: https://docs.deno.com/runtime/fundamentals/ffi/ */
import type { TimerList } from "../../timers.ts";
import { NetConn, QuietSocket } from "../net/conn.ts";
import {
  descriptorPair,
  drainAndClose,
  LIBC,
  Libc,
  LIBC_TYPES,
  type LibcFunctions,
} from "../net/libc.ts";
import { NO_ENDS, type SocketPair } from "../net/process_socket.ts";
import { permitted } from "../permission.ts";

/** The member of Deno that this needs, and no more. */
declare const Deno: {
  dlopen(
    library: string,
    symbols: Record<string, { parameters: string[]; result: "i32" }>,
  ): { symbols: LibcFunctions };
};

export function denoLibc(): Libc {
  return new Libc(() => {
    if (!permitted("ffi")) throw new TypeError("not permitted");
    const symbols = Object.entries(LIBC_TYPES).map((
      [name, parameters],
    ) => [name, { parameters, result: "i32" as const }]);
    return Deno.dlopen(LIBC, Object.fromEntries(symbols)).symbols;
  });
}

/** Our end of the socket of a program. */
class DenoEnd extends NetConn {
  endInput(): boolean {
    return this.endIfAwaited();
  }
}

/**
 * Undefined where there is no C library to call. Theirs is to be released when
 * the program has ended: a stream of Deno's loses what it holds when a program
 * that has not read all of its input closes the last descriptor.
 */
export function denoPair(
  { functions }: Libc,
  timers: TimerList,
): SocketPair | undefined {
  if (functions === undefined) return undefined;
  const { inner, theirs: { fd } } = descriptorPair(functions);
  const socket = new QuietSocket({ fd: inner, allowHalfOpen: true });
  const ours = new DenoEnd(socket, NO_ENDS, timers);
  const release = () => drainAndClose(functions, fd);
  return { ours, theirs: { fd, release } };
}
