/** The log by syslog. */
import { setTimeout as sleep } from "node:timers/promises";
import { dial } from "../../dial.ts";
import { formatEndpoint, type TcpEndpoint } from "../../endpoint.ts";
import { messageOf, TcpmuxError } from "../../errors.ts";
import type { SyslogTo } from "../../log.ts";
import { UdpSender } from "../../transport/net/udp_sender.ts";
import type { Attempt, Conn, Transport } from "../../transport/transport.ts";
import type { Frame, LogSink, SayProblem } from "./log_sink.ts";
import { type SyslogFormat, syslogFrame } from "./syslog_message.ts";

/** Milliseconds until the next attempt, which double. */
const PAUSES = { first: 20, longest: 10_000 };

/** Milliseconds for one attempt to connect. */
const CONNECT_TIMEOUT = 10_000;

/**
 * Opens the way to a syslog. A server on the network need not be there yet; the
 * socket of one on this machine must.
 *
 * @throws {TcpmuxError} where there is none, or this runtime cannot reach it
 */
export async function openSyslog(
  to: SyslogTo,
  format: SyslogFormat | undefined,
  transport: Transport,
  say: SayProblem,
): Promise<LogSink> {
  const options = { to, format, transport, say };
  switch (to.by) {
    case "udp":
      return new SyslogUdp(options);
    case "tcp":
      return new SyslogStream(options);
    case "unix":
      return await openSocket(options);
  }
}

interface SyslogOptions {
  readonly to: SyslogTo;
  readonly format: SyslogFormat | undefined;
  readonly transport: Transport;
  readonly say: SayProblem;
}

abstract class Syslog {
  protected readonly options: SyslogOptions;
  protected isReleased = false;

  constructor(options: SyslogOptions) {
    this.options = options;
  }

  failed(error: unknown): void {
    const where = nameOf(this.options.to);
    this.options.say(
      `cannot send the log to ${where}: ${messageOf(error)} (the server goes ` +
        "on; the log will say how many lines it lacks)",
    );
  }

  /**
   * Tries until it succeeds or is released; lines wait for that, as many as fit.
   */
  protected async patiently(work: () => Promise<void> | void): Promise<void> {
    let pause = PAUSES.first;
    let failure: unknown = new TcpmuxError("closed", "the log has moved on");
    while (!this.isReleased) {
      try {
        return await work();
      } catch (error) {
        failure = error;
      }
      if (this.isReleased) break;
      if (pause >= 1000) this.failed(failure);
      await sleep(pause, undefined, { ref: false });
      pause = Math.min(PAUSES.longest, 2 * pause);
    }
    throw failure;
  }
}

function nameOf({ by, endpoint }: SyslogTo): string {
  const address = formatEndpoint(endpoint);
  return `syslog:${by === "unix" ? "" : `${by}://`}${address}`;
}

/** By UDP (RFC 5426): what nobody takes is lost, and mostly not even noticed. */
class SyslogUdp extends Syslog implements LogSink {
  readonly isLinewise = true;
  readonly frame: Frame;
  #sender: Promise<UdpSender> | undefined;
  /** Until then no name is looked up again. */
  #notBefore = 0;

  constructor(options: SyslogOptions) {
    super(options);
    this.frame = syslogFrame(options.format ?? "rfc5424", "datagrams");
  }

  async write(bytes: Uint8Array): Promise<void> {
    await (await this.#connected()).send(bytes);
  }

  async #connected(): Promise<UdpSender> {
    this.#sender ??= this.#connect();
    try {
      return await this.#sender;
    } catch (error) {
      if (performance.now() >= this.#notBefore) this.#sender = undefined;
      throw error;
    }
  }

  async #connect(): Promise<UdpSender> {
    this.#notBefore = performance.now() + PAUSES.longest;
    const { to, transport } = this.options;
    const { host, port } = to.endpoint as TcpEndpoint;
    const [address] = await transport.lookup(host);
    if (address === undefined) {
      throw new TcpmuxError("host_not_found", `${host} has no address`);
    }
    return await UdpSender.to(address, port);
  }

  release(): void {
    this.isReleased = true;
    this.#sender?.then((sender) => sender.close(), () => {}); // it has failed
  }
}

/** By TCP (RFC 6587), or by the Unix socket of a stream. */
class SyslogStream extends Syslog implements LogSink {
  readonly frame: Frame;
  #attempt: Attempt | undefined;
  #conn: Conn | undefined;

  constructor(options: SyslogOptions, conn?: Conn) {
    super(options);
    const { to, format } = options;
    this.frame = to.by === "tcp"
      ? syslogFrame(format ?? "rfc5424", "octets")
      : syslogFrame(format ?? "rfc3164", "lines");
    if (conn !== undefined) this.#use(conn);
  }

  /** What may have been lost with a connection is sent again on the next. */
  write(bytes: Uint8Array): Promise<void> {
    return this.patiently(async () => {
      const conn = this.#conn ?? await this.#connect();
      try {
        await conn.write(bytes);
      } catch (error) {
        this.#drop(conn);
        throw error;
      }
    });
  }

  async #connect(): Promise<Conn> {
    const { to, transport } = this.options;
    const timeout = CONNECT_TIMEOUT;
    this.#attempt = dial(transport, to.endpoint, { timeout });
    const conn = await this.#attempt.conn;
    this.#use(conn);
    return conn;
  }

  #use(conn: Conn): void {
    this.#conn = conn;
    this.#watch(conn);
  }

  /** A server says nothing: its end is all that is read. */
  async #watch(conn: Conn): Promise<void> {
    try {
      while (await conn.read() !== null);
    } catch {
      // It is broken: the next write makes another one.
    }
    this.#drop(conn);
  }

  #drop(conn: Conn): void {
    if (this.#conn === conn) this.#conn = undefined;
    conn.abort();
  }

  release(): void {
    this.isReleased = true;
    this.#attempt?.abort();
    this.#conn?.close();
  }
}

/** By the Unix socket of datagrams, as /dev/log is one. */
class SyslogSocket extends Syslog implements LogSink {
  readonly isLinewise = true;
  readonly frame: Frame;
  readonly #send: (bytes: Uint8Array) => void;

  constructor(options: SyslogOptions, send: (bytes: Uint8Array) => void) {
    super(options);
    this.frame = syslogFrame(options.format ?? "rfc3164", "datagrams");
    this.#send = send;
  }

  /** A reader that stands still takes nothing, nor does one that is gone. */
  write(bytes: Uint8Array): Promise<void> {
    return this.patiently(() => this.#send(bytes));
  }

  release(): void {
    this.isReleased = true;
  }
}

async function openSocket(options: SyslogOptions): Promise<LogSink> {
  const { to, transport } = options;
  const { path } = to.endpoint as { path: string };
  const { system } = transport;
  if (system !== undefined) {
    try {
      system.sendTo(path, new Uint8Array(0)); // which is no message
      return new SyslogSocket(options, (bytes) => system.sendTo(path, bytes));
    } catch {
      // There is no socket, or one of a stream.
    }
  }
  try {
    const conn = await transport.connect(to.endpoint, {
      timeout: CONNECT_TIMEOUT,
    }).conn;
    return new SyslogStream(options, conn);
  } catch (error) {
    const cure = system === undefined
      ? "where it takes datagrams, as /dev/log does, Bun, Node from 26.1 on " +
        "and Deno with -A can reach it; all can by UDP or TCP"
      : "start the syslog server, or let the log go elsewhere";
    throw new TcpmuxError(
      "unreachable",
      `cannot send the log to ${nameOf(to)}: ${messageOf(error)} (${cure})`,
      { cause: error },
    );
  }
}
