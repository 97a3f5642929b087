import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf, isDisconnect, messageOf, TcpmuxError } from "../../errors.ts";
import type { SocketPair } from "../net/process_socket.ts";
import type { Conn, Transport } from "../transport.ts";
import type { NodeConn } from "./conn.ts";

/** What makes a pair; the transport's own functions. */
export type Making = Pick<Transport, "listen" | "connect" | "timers">;

/** Milliseconds for the whole of it, which takes less than one. */
const LIMIT = 5_000;

/**
 * Makes what socketpair(2) makes, for which Node has no function: a socket that
 * listens for one connection, and that connection. Another process could
 * connect in between: ours is known by its first bytes, which are a secret.
 *
 * @returns undefined where a connection cannot give its descriptor away
 * @throws {TcpmuxError} where the system has no more descriptors
 */
export async function socketPair(
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
    listener.close();
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
