/** The C library on Bun: https://bun.com/docs/api/ffi */
import type { Peer } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import {
  descriptorPair,
  LIBC,
  Libc,
  LIBC_TYPES,
  type LibcFunctions,
} from "../net/libc.ts";
import { NO_ENDS, type SocketPair } from "../net/process_socket.ts";
import { BunConn } from "./conn.ts";
import { type BunHandlers, type BunSocket, HANDLERS } from "./socket.ts";

/** The member of Bun that this needs, and no more. */
declare const Bun: {
  connect(options: {
    fd: number;
    allowHalfOpen: true;
    data: undefined;
    socket: BunHandlers;
  }): Promise<BunSocket>;
};

/** Bun's module of foreign functions, which other runtimes do not have. */
interface Foreign {
  dlopen(
    library: string,
    symbols: Record<string, { args: string[]; returns: "i32" }>,
  ): { symbols: LibcFunctions };
}

export function bunLibc(): Libc {
  return new Libc(() => {
    const foreign = process.getBuiltinModule("bun:ffi") as unknown as Foreign;
    const symbols = Object.entries(LIBC_TYPES).map((
      [name, args],
    ) => [name, { args, returns: "i32" as const }]);
    return foreign.dlopen(LIBC, Object.fromEntries(symbols)).symbols;
  });
}

/** Undefined where there is no C library to call. */
export async function bunPair(
  { functions }: Libc,
  timers: TimerList,
): Promise<SocketPair | undefined> {
  if (functions === undefined) return undefined;
  const { inner, theirs } = descriptorPair(functions);
  return { ours: await bunConnOf(inner, timers), theirs };
}

/**
 * A connection of a descriptor, which belongs to the connection then.
 *
 * @param endsOf what its ends are; by default they have no names
 */
export async function bunConnOf(
  fd: number,
  timers: TimerList,
  endsOf: (socket: BunSocket) => Peer = () => NO_ENDS,
): Promise<BunConn> {
  const socket = await Bun.connect({
    fd,
    allowHalfOpen: true,
    data: undefined,
    socket: HANDLERS,
  });
  const conn = new BunConn(socket, endsOf(socket), timers);
  socket.data = conn;
  return conn;
}
