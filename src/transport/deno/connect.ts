/** Connecting on Deno: https://docs.deno.com/api/deno/~/Deno.connect */
import { connectedEnds, type Endpoint } from "../../endpoint.ts";
import type { Timer, TimerList } from "../../timers.ts";
import { ConnectAttempt } from "../attempt.ts";
import type { Buffers } from "../buffers.ts";
import { NetConn } from "../net/conn.ts";
import { inheritedEnds, socketOn } from "../net/listen.ts";
import type { AttemptOptions, Transport } from "../transport.ts";
import { type DenoAddress, DenoConn, type DenoSocket, toDeno } from "./conn.ts";

/** The member of Deno that connecting needs. */
declare const Deno: {
  connect(options: DenoAddress & { signal: AbortSignal }): Promise<DenoSocket>;
};

/**
 * Milliseconds before an attempt that was given up is cancelled at Deno. Deno
 * never closes the socket of an attempt that is cancelled just as it succeeds
 * (1 of 100 on loopback), so one that is about to succeed has time to do so.
 */
const ABANDON_TIME = 250;

/**
 * `Transport.connOn` for Deno, by `node:net`: of its own connections it makes
 * none of a descriptor.
 */
// deno-lint-ignore require-await -- failing must reject
export async function denoConnOn(
  fd: number,
  timers: TimerList,
): Promise<NetConn> {
  const socket = socketOn(fd);
  return new NetConn(socket, inheritedEnds(socket), timers);
}

export function denoConnect(
  timers: TimerList,
  buffers: Buffers,
): Transport["connect"] {
  return (endpoint, options = {}) =>
    new DenoAttempt(endpoint, options, timers, buffers).start(timers);
}

class DenoAttempt extends ConnectAttempt {
  readonly #controller = new AbortController();
  readonly #timers: TimerList;
  readonly #buffers: Buffers;
  #abandoned: Timer | undefined;

  constructor(
    endpoint: Endpoint,
    options: AttemptOptions,
    timers: TimerList,
    buffers: Buffers,
  ) {
    super(endpoint, options);
    this.#timers = timers;
    this.#buffers = buffers;
  }

  protected override async connect(): Promise<void> {
    const { endpoint } = this;
    const { signal } = this.#controller;
    try {
      const socket = await Deno.connect({ ...toDeno(endpoint), signal });
      if (this.isOver) return socket.close();
      const at = socket.localAddr;
      const ends = connectedEnds(
        at.transport === "tcp"
          ? { localAddress: at.hostname, localPort: at.port }
          : {},
        endpoint,
      );
      this.succeed(new DenoConn(socket, ends, this.#buffers));
    } catch (error) {
      this.fail(error);
    } finally {
      this.#abandoned?.cancel();
    }
  }

  protected override giveUp(): void {
    this.#abandoned = this.#timers.after(
      ABANDON_TIME,
      () => this.#controller.abort(),
    );
  }
}
