import { isDisconnect, TcpmuxError } from "./errors.ts";
import { type Carried, type Conn, ENDED } from "./transport/transport.ts";

/**
 * Carries bytes between a client and a peer until both directions are done.
 * The end of one direction is passed on as a half-close, and the other goes
 * on. Where one side can be written to no more, what the other one sends is
 * read and dropped, so that it is not stuck, until that other direction has
 * come to its own end: what was sent before is still delivered.
 *
 * A reset of either side is passed on to the other. Neither is closed
 * otherwise: that is the caller's.
 *
 * @param signal ends it at once: both sides are let go
 * @param peerGone resolves when the peer will take nothing more, so that
 * what the client still sends concerns nobody
 * @throws {TcpmuxError} when a side was reset, or the client is gone
 */
export async function relay(
  client: Conn,
  peer: Conn,
  signal: AbortSignal,
  peerGone?: Promise<void>,
): Promise<void> {
  const up = pump(client, peer);
  const down = pump(peer, client);
  up.catch(() => {}); // awaited below, but perhaps not first
  const ended = new Promise<never>((_, reject) => {
    const end = () => reject(new TcpmuxError("closed", "ended by the server"));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
  let clientGone: unknown;
  try {
    const first = await Promise.race([down, failureOf(up), ended]);
    if (first.how === "sink broken") {
      await Promise.race([up, ended]); // what the client sent before it went is still the peer's
      clientGone = first.error;
    } else {
      const last = await Promise.race([up, after(peerGone), ended]);
      if (last.how === "sink broken" && !isDisconnect(last.error)) {
        throw last.error;
      }
    }
  } catch (error) {
    client.abort();
    peer.abort();
    throw error;
  }
  if (clientGone !== undefined) {
    client.abort();
    peer.close();
    throw clientGone;
  }
}

async function pump(from: Conn, to: Conn): Promise<Carried> {
  const end = await carry(from, to);
  if (end.how === "sink broken") {
    drop(from);
    return end;
  }
  try {
    await to.closeWrite();
    return end;
  } catch (error) {
    return { how: "sink broken", error };
  }
}

/** By the runtime's own way as soon as there is one, or step by step. */
async function carry(from: Conn, to: Conn): Promise<Carried> {
  const sink = to.intake?.() ?? { conn: to, moved() {} };
  for (;;) {
    const carrying = from.carryTo?.(sink.conn, sink.moved);
    if (carrying !== undefined) return await carrying;
    const bytes = await from.read();
    if (bytes === null) return ENDED;
    try {
      await to.write(bytes);
    } catch (error) {
      return { how: "sink broken", error };
    }
  }
}

/** Reads on for nobody, until the end or until the connection is let go. */
function drop(from: Conn): void {
  const next = async () => {
    while (await from.read() !== null);
  };
  next().catch(() => {}); // it broke or was closed: either way it is over
}

/** Never resolves; rejects when the direction does. */
function failureOf(direction: Promise<Carried>): Promise<never> {
  return new Promise((_, reject) => direction.catch(reject));
}

function after(gone: Promise<void> | undefined): Promise<Carried> {
  return gone === undefined ? new Promise(() => {}) : gone.then(() => ENDED);
}
