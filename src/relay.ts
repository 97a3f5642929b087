import type { Cancel } from "./transport/cancel.ts";
import { isDisconnect, TcpmuxError } from "./errors.ts";
import {
  type Carried,
  type Conn,
  ENDED,
  type Intake,
} from "./transport/transport.ts";

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
 * @param ending ends it at once: both sides are let go
 * @param peerGone resolves when the peer will take nothing more, so that
 * what the client still sends concerns nobody
 * @throws {TcpmuxError} when a side was reset, or the client is gone
 */
export function relay(
  client: Conn,
  peer: Conn,
  ending: Cancel,
  peerGone?: Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    new Relay(client, peer, ending, { resolve, reject }).start(peerGone);
  });
}

interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

/** Both directions, and what has become of them so far. */
class Relay {
  #client: Conn;
  #peer: Conn;
  #ending: Cancel;
  #settle: Settle;
  #up: Carried | undefined;
  #down: Carried | undefined;
  #peerIsGone = false;
  #over = false;

  constructor(client: Conn, peer: Conn, ending: Cancel, settle: Settle) {
    this.#client = client;
    this.#peer = peer;
    this.#ending = ending;
    this.#settle = settle;
  }

  start(peerGone: Promise<void> | undefined): void {
    if (this.#ending.aborted) return this.#end();
    this.#ending.addEventListener("abort", this.#end, { once: true });
    pump(this.#client, this.#peer, (end) => {
      this.#up = end;
      this.#look();
    }, this.#fail);
    pump(this.#peer, this.#client, (end) => {
      this.#down = end;
      this.#look();
    }, this.#fail);
    peerGone?.then(() => {
      this.#peerIsGone = true;
      this.#look();
    });
  }

  /** Whether that was all. */
  #look(): void {
    const up = this.#up;
    const down = this.#down;
    if (this.#over || down === undefined) return;
    if (down.how === "sink broken") {
      // What the client sent before it went is still the peer's.
      if (up === undefined) return;
      this.#finish();
      this.#client.abort();
      this.#peer.close();
      return this.#settle.reject(down.error);
    }
    if (up === undefined && !this.#peerIsGone) return;
    if (up?.how === "sink broken" && !isDisconnect(up.error)) {
      return this.#fail(up.error);
    }
    this.#finish();
    this.#settle.resolve();
  }

  #fail = (error: unknown): void => {
    if (this.#over) return;
    this.#finish();
    this.#client.abort();
    this.#peer.abort();
    this.#settle.reject(error);
  };

  #end = (): void => {
    this.#fail(new TcpmuxError("closed", "ended by the server"));
  };

  #finish(): void {
    this.#over = true;
    this.#ending.removeEventListener("abort", this.#end);
  }
}

/** One direction, and the end of it as a half-close. */
function pump(
  from: Conn,
  to: Conn,
  done: (end: Carried) => void,
  failed: (error: unknown) => void,
): void {
  const broken = (error: unknown) => done({ how: "sink broken", error });
  carry(from, to).then((end) => {
    if (end.how === "ended") {
      return to.closeWrite().then(() => done(end), broken);
    }
    drop(from);
    done(end);
  }, failed);
}

/** By the runtime's own way as soon as there is one, or step by step. */
function carry(from: Conn, to: Conn): Promise<Carried> {
  const sink = to.intake?.() ?? { conn: to, moved() {} };
  return from.carryTo?.(sink.conn, sink.moved) ?? carryOn(from, to, sink);
}

async function carryOn(from: Conn, to: Conn, sink: Intake): Promise<Carried> {
  for (;;) {
    const bytes = await from.read();
    if (bytes === null) return ENDED;
    try {
      await to.write(bytes);
    } catch (error) {
      return { how: "sink broken", error };
    }
    const carrying = from.carryTo?.(sink.conn, sink.moved);
    if (carrying !== undefined) return await carrying;
  }
}

/** Reads on for nobody, until the end or until the connection is let go. */
function drop(from: Conn): void {
  const next = async () => {
    while (await from.read() !== null);
  };
  next().catch(() => {}); // it broke or was closed: either way it is over
}
