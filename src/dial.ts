/** What clients and servers alike need to reach another server. */
import { isIP } from "node:net";
import { type Endpoint, formatEndpoint, type TcpEndpoint } from "./endpoint.ts";
import { messageOf, RefusedError, TcpmuxError } from "./errors.ts";
import { timeLeft, type TimerList } from "./timers.ts";
import { type Duration, millisecondsOf } from "./units.ts";
import { cancelled, ConnectAttempt, timedOut } from "./transport/attempt.ts";
import { fromSystem } from "./transport/errno.ts";
import type { TlsDemands } from "./transport/net/tls/demands.ts";
import type {
  Attempt,
  AttemptOptions,
  Conn,
  Transport,
} from "./transport/transport.ts";
import {
  ALPN,
  type Reply,
  ReplyReader,
  TLS_REPLIES,
  TLS_WAYS,
} from "./wire.ts";

export interface DialOptions extends AttemptOptions {
  /** Only the addresses of that family: 4 or 6. */
  readonly family?: 4 | 6 | undefined;
}

/** Milliseconds before the next address is tried too (RFC 8305, section 8). */
const ATTEMPT_DELAY = 250;

/**
 * Connects to an address or a host name. The addresses of a name are tried
 * as RFC 8305 describes ("happy eyeballs"): the families in turn, the next
 * address when the last one has failed or has not answered for a quarter of a
 * second. The first address that answers wins. The time-out is for all of it.
 *
 * @returns an attempt that rejects with a {@linkcode TcpmuxError}:
 * `host_not_found`, `timed_out`, `cancelled`, or the code of the last
 * address's failure
 */
export function dial(
  transport: Transport,
  endpoint: Endpoint,
  options: DialOptions = {},
): Attempt {
  if (endpoint.transport === "unix" || isIP(endpoint.host) !== 0) {
    return transport.connect(endpoint, options);
  }
  return new NameAttempt(transport, endpoint, options).start(transport.timers);
}

class NameAttempt extends ConnectAttempt {
  readonly #transport: Transport;
  readonly #name: TcpEndpoint;
  readonly #family: 4 | 6 | undefined;
  readonly #how: AttemptOptions;
  readonly #underWay = new Set<Attempt>();
  readonly #failures: Error[] = [];
  /** Addresses that have not been tried yet. */
  #addresses: TcpEndpoint[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: Transport, name: TcpEndpoint, options: DialOptions) {
    super(name, options);
    this.#transport = transport;
    this.#name = name;
    this.#family = options.family;
    this.#how = options.forTls ? { forTls: true } : {};
  }

  protected override async connect(): Promise<void> {
    const { host } = this.#name;
    try {
      const found = await this.#transport.lookup(host);
      const hosts = inTurn(found.filter((address) => this.#isWanted(address)));
      this.#addresses = hosts.map((host) => ({ ...this.#name, host }));
    } catch (error) {
      return this.fail(fromSystem(error, this.what, { address: host }));
    }
    if (!this.isOver) this.#tryNext();
  }

  #isWanted(address: string): boolean {
    return this.#family === undefined || isIP(address) === this.#family;
  }

  #tryNext(): void {
    clearTimeout(this.#timer);
    const address = this.#addresses.shift();
    if (address !== undefined) {
      this.#try(this.#transport.connect(address, this.#how));
      this.#timer = setTimeout(() => this.#tryNext(), ATTEMPT_DELAY);
    } else if (this.#underWay.size === 0) this.fail(this.#failure());
  }

  async #try(attempt: Attempt): Promise<void> {
    this.#underWay.add(attempt);
    let conn: Conn;
    try {
      conn = await attempt.conn;
    } catch (error) {
      this.#underWay.delete(attempt);
      this.#failures.push(error as Error);
      if (!this.isOver) this.#tryNext();
      return;
    }
    this.#underWay.delete(attempt);
    if (this.isOver) return conn.abort();
    this.succeed(conn);
    this.giveUp();
  }

  /** The error of an attempt whose addresses have all failed. */
  #failure(): Error {
    const last = this.#failures.at(-1);
    if (last !== undefined && !(last instanceof TcpmuxError)) return last;
    return new TcpmuxError(
      last?.code ?? "host_not_found",
      this.#failures.map(messageOf).join("; ") ||
        `${this.what}: the name has no address`,
      last === undefined ? {} : { cause: last },
    );
  }

  /** A look-up cannot be cancelled: `connect` ignores a result that is late. */
  protected override giveUp(): void {
    clearTimeout(this.#timer);
    for (const attempt of this.#underWay) attempt.abort();
  }
}

/** One of each family in turn, the resolver's first choice first. */
function inTurn(hosts: readonly string[]): string[] {
  const first = hosts.filter((host) => isIP(host) === isIP(hosts[0]!));
  const other = hosts.filter((host) => isIP(host) !== isIP(hosts[0]!));
  return first.flatMap((
    host,
    index,
  ) => [host, ...other.slice(index, index + 1)])
    .concat(other.slice(first.length));
}

/** How {@linkcode reach} connects, as the `ConnectOptions` of a client say. */
export interface ReachOptions {
  readonly signal?: AbortSignal;
  readonly connectTimeout?: Duration;
  readonly family?: 4 | 6;
}

/**
 * Connects to a server, and sends nothing yet.
 *
 * @param tls what is demanded of the server by TLS; undefined without TLS
 */
export async function reach(
  transport: Transport,
  endpoint: Endpoint,
  options: ReachOptions,
  tls?: TlsDemands,
): Promise<Conn> {
  const { signal, connectTimeout = 10_000, family } = options;
  const timeout = millisecondsOf("connectTimeout", connectTimeout);
  const what = `cannot connect to ${formatEndpoint(endpoint)}`;
  if (signal?.aborted) throw cancelled(what, signal.reason);
  const forTls = tls !== undefined;
  if (forTls) (await import("./tls/client.ts")).checkTexts(tls);
  const begin = performance.now();
  const attempt = dial(transport, endpoint, { timeout, family, forTls });
  let held: { abort(): void } = attempt;
  const abort = () => held.abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const conn = await attempt.conn;
    if (tls === undefined) return conn;
    held = conn;
    const { secureAsClient } = await import("./tls/client.ts");
    const wanted = { endpoint, demands: tls, alpn: [ALPN] };
    const { timers } = transport;
    const hold = (next: typeof held) => {
      held = next;
      if (signal?.aborted) next.abort();
    };
    return await secureAsClient(conn, wanted, { timeout, begin, timers, hold });
  } catch (error) {
    throw signal?.aborted ? cancelled(what, signal.reason) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * The error of a server's `-`, with what to do where it speaks of TLS.
 *
 * @param tls what was demanded of the server by TLS; undefined without TLS
 */
export async function refusedBy(
  server: string,
  service: string,
  reply: string,
  tls: TlsDemands | undefined,
): Promise<RefusedError> {
  const { noTls, noCertificate, badCertificate } = TLS_REPLIES;
  if (tls === undefined && reply === noTls) {
    const why = { code: "protocol", cure: `use ${TLS_WAYS}` } as const;
    return new RefusedError(service, server, reply, why);
  }
  const isOfOurs = reply === noCertificate || reply === badCertificate;
  if (tls === undefined || !isOfOurs) {
    return new RefusedError(service, server, reply);
  }
  const { cureOf } = await import("./tls/client.ts");
  const why = { code: "untrusted", cure: cureOf(tls) } as const;
  return new RefusedError(service, server, reply, why);
}

/** What ends the wait for a reply. */
export interface ReplyDeadline {
  /** Milliseconds; 0 for no limit. */
  readonly timeout: number;
  /**
   * When they began, by `performance.now()`.
   * @default now
   */
  readonly begin?: number;
  readonly timers: TimerList;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a server's reply line. The connection is the caller's to close.
 *
 * @throws {TcpmuxError} `protocol` for a server that closes or sends anything
 * else; `timed_out` or `cancelled`
 */
export async function readReply(
  conn: Conn,
  { timeout, begin = performance.now(), timers, signal }: ReplyDeadline,
): Promise<Reply> {
  const from = formatEndpoint(conn.remote);
  const what = `no reply from ${from}`;
  if (signal?.aborted) throw cancelled(what, signal.reason);
  const cancel = () => conn.interrupt(cancelled(what, signal?.reason));
  const expire = () => conn.interrupt(timedOut(what, timeout));
  signal?.addEventListener("abort", cancel, { once: true });
  const timer = timers.after(timeLeft(timeout, begin), expire);
  try {
    const reader = new ReplyReader();
    let isSilent = true;
    for (;;) {
      const bytes = await conn.read();
      if (bytes === null) {
        const hint = isSilent ? ` (perhaps it speaks TLS: ${TLS_WAYS})` : "";
        const why = `${what}: it closed the connection${hint}`;
        throw new TcpmuxError("protocol", why);
      }
      if (bytes.length > 0) isSilent = false;
      const state = reader.push(bytes);
      if (state.state === "reply") return state;
      if (state.state === "malformed") {
        throw new TcpmuxError(
          "protocol",
          `${from} is not a TCPMUX server: ${state.why}`,
        );
      }
    }
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", cancel);
  }
}
