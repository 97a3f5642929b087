import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Endpoint, formatEndpoint, type TcpEndpoint } from "./endpoint.ts";
import { messageOf, TcpmuxError } from "./errors.ts";
import type { Cancel } from "./transport/cancel.ts";
import { withDeadline } from "./transport/deadline.ts";
import { fromSystem } from "./transport/errno.ts";
import type { Conn, ConnectOptions, Transport } from "./transport/transport.ts";

export interface DialOptions extends ConnectOptions {
  /** Only the addresses of that family: 4 or 6. */
  readonly family?: 4 | 6 | undefined;
}

/** Milliseconds before the next address is tried beside the last (RFC 8305). */
const ATTEMPT_DELAY = 250;

/**
 * Connects to an address or a host name. The addresses of a name are tried
 * as RFC 8305 has it ("happy eyeballs"): the families in turn, the next one
 * when the last has failed or has not answered in a quarter of a second. The
 * first to answer is taken. The time-out is for all of it.
 *
 * @throws {TcpmuxError} `host_not_found`, `timed_out`, `cancelled`, or the
 * code of the last address's failure
 */
export function dial(
  transport: Transport,
  endpoint: Endpoint,
  options: DialOptions = {},
): Promise<Conn> {
  if (endpoint.transport === "unix" || isIP(endpoint.host) !== 0) {
    return transport.connect(endpoint, options);
  }
  return dialByName(transport, endpoint, options);
}

function dialByName(
  transport: Transport,
  endpoint: TcpEndpoint,
  options: DialOptions,
): Promise<Conn> {
  const what = `cannot connect to ${formatEndpoint(endpoint)}`;
  return withDeadline(what, options, async (signal) => {
    const looking = resolve(endpoint.host, what, options.family);
    const hosts = await abortable(looking, signal);
    const addresses = inTurn(hosts).map((host) => ({ ...endpoint, host }));
    return await firstToAnswer(transport, addresses, signal, what);
  });
}

async function resolve(
  host: string,
  what: string,
  family: 4 | 6 | undefined,
): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true, family: family ?? 0 });
    return found.map(({ address }) => address);
  } catch (error) {
    throw fromSystem(error, what, { address: host });
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

function firstToAnswer(
  transport: Transport,
  addresses: readonly TcpEndpoint[],
  signal: Cancel,
  what: string,
): Promise<Conn> {
  const others = new AbortController();
  const failures: TcpmuxError[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next = 0;
  let over = false;
  const end = () => {
    over = true;
    clearTimeout(timer);
    others.abort();
  };
  return new Promise<Conn>((resolve, reject) => {
    const won = (conn: Conn) => {
      if (over) return conn.abort();
      end();
      resolve(conn);
    };
    const lost = (error: unknown) => {
      if (over) return;
      failures.push(fromSystem(error, what));
      if (failures.length === addresses.length) reject(allOf(failures, what));
      else tryNext();
    };
    const tryNext = () => {
      clearTimeout(timer);
      const address = addresses[next++];
      if (address === undefined) return;
      transport.connect(address, { signal: others.signal }).then(won, lost);
      timer = setTimeout(tryNext, ATTEMPT_DELAY);
    };
    signal.addEventListener("abort", () => {
      end();
      reject(signal.reason);
    }, { once: true });
    if (addresses.length === 0) reject(allOf(failures, what));
    else tryNext();
  }).finally(() => clearTimeout(timer));
}

function allOf(failures: readonly TcpmuxError[], what: string): TcpmuxError {
  const last = failures.at(-1);
  return new TcpmuxError(
    last?.code ?? "host_not_found",
    failures.map(messageOf).join("; ") || `${what}: the name has no address`,
    last === undefined ? {} : { cause: last },
  );
}

/** A name look-up cannot be cancelled; its result is then left alone. */
function abortable<T>(work: Promise<T>, signal: Cancel): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}
