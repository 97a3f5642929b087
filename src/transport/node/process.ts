/** Programs on Node: https://nodejs.org/api/child_process.html */
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf, isDisconnect, messageOf, TcpmuxError } from "../../errors.ts";
import { netSpawn, netSpawnOn, type Rest } from "../net/process.ts";
import { type SocketPair, spawnOnPair } from "../net/process_socket.ts";
import { discardListener } from "../pushed_listener.ts";
import { inheritable } from "../spawning.ts";
import type {
  Command,
  Conn,
  PipedProcess,
  SocketCommand,
  SocketProcess,
  Transport,
} from "../transport.ts";
import type { NodeConn } from "./conn.ts";

/** `Transport.spawn` for Node. */
export async function nodeSpawn(
  command: Command,
  rest: Rest,
  making: Making,
): Promise<PipedProcess> {
  const pair = await socketPair(making);
  return pair === undefined
    ? await netSpawn(command, rest)
    : await spawnOnPair(command, pair, (command, fd) =>
      netSpawnOn(command, fd, rest));
}

/** `Transport.spawnOn` for Node: its socket stays open, and is not looked at. */
export async function nodeSpawnOn(
  command: SocketCommand,
  rest: Rest,
): Promise<SocketProcess> {
  const { socket } = command;
  const program = await netSpawnOn(command, socket.fd, rest);
  const reclaim = () => Promise.resolve(socket.resume?.());
  return Object.assign(program, { reclaim });
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

/** What makes a pair of sockets; the transport's own functions. */
type Making = Pick<Transport, "listen" | "connect" | "timers">;

/** Milliseconds for the making of a pair, which takes less than one. */
const LIMIT = 5_000;

/**
 * Makes what socketpair(2) makes, for which Node has no function: a socket that
 * listens for one connection, and that connection. Another process could
 * connect in between: ours is known by its first bytes, which are a secret.
 *
 * @returns undefined where a connection cannot give its descriptor away
 * @throws {TcpmuxError} where the system has no more descriptors
 */
async function socketPair(
  { listen, connect, timers }: Making,
): Promise<SocketPair | undefined> {
  const secret = crypto.randomUUID();
  const place = placeFor(crypto.randomUUID());
  const listener = await listen({ transport: "unix", path: place.path });
  const timer = timers.after(LIMIT, () => listener.close());
  let outer: Conn | undefined;
  try {
    outer = await connect({ transport: "unix", path: place.path }).conn;
    await outer.write(new TextEncoder().encode(secret));
    for (let inner; (inner = await listener.accept()) !== null;) {
      const known = timers.after(LIMIT, () => inner!.abort());
      const isOurs = await begins(inner, secret);
      known?.cancel();
      if (!isOurs) {
        inner.abort();
        continue;
      }
      const theirs = outer.detach?.();
      if (theirs !== undefined) return { ours: inner as NodeConn, theirs };
      inner.abort();
      outer.abort();
      return undefined;
    }
    throw new TcpmuxError("timed_out", "it was not accepted in time");
  } catch (error) {
    outer?.abort();
    throw asShortage(error);
  } finally {
    timer?.cancel();
    discardListener(listener);
    place.remove();
  }
}

/**
 * Nobody refuses this connection or breaks it but the system, where there is no
 * descriptor left for its other end.
 */
function asShortage(error: unknown): TcpmuxError {
  const code = codeOf(error);
  const isShort = code === "connection_refused" || isDisconnect(error);
  return new TcpmuxError(
    isShort ? "too_many_files" : code,
    `cannot make a pair of sockets: ${
      isShort ? "out of file descriptors or processes" : messageOf(error)
    }`,
    { cause: error },
  );
}

/** Where the socket listens: Linux alone has names that are no files. */
function placeFor(name: string): { path: string; remove(): void } {
  if (process.platform === "linux") {
    return { path: `\0tcpmux-${name}`, remove() {} };
  }
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  return { path: join(folder, "s"), remove };
}

/** Reads as many bytes as the text has, and says whether they are that text. */
async function begins(conn: Conn, text: string): Promise<boolean> {
  const decoder = new TextDecoder();
  let got = "";
  try {
    while (got.length < text.length) {
      const bytes = await conn.read();
      if (bytes === null) return false;
      got += decoder.decode(bytes, { stream: true });
    }
  } catch {
    return false; // a stranger has left, or was silent for too long
  }
  return got === text;
}
