/** What a table holds: services, and the listeners that lead to them. */
import type { Endpoint, Peer } from "../endpoint.ts";
import {
  formatPlace,
  type ListenAddress,
  type ListenSteps,
} from "../parse_endpoint.ts";
import type { Access } from "../policy/access.ts";
import type { CertificateList } from "../policy/certificates.ts";
import type { Hours } from "../policy/hours.ts";
import type { ServiceLimits } from "../policy/limit_settings.ts";
import type { TlsDemands } from "../transport/net/tls/demands.ts";
import type { StreamConn } from "../transport/stream_conn.ts";

/** One service, every value of it resolved. */
export type Service =
  | BuiltinService
  | ExecService
  | ConnectService
  | TcpmuxService
  | TextService
  | HandlerService;

/** What every kind of service has. */
interface ServiceBase {
  /** As the table spells it; compared without regard to case. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  /** Whether HELP names it. */
  readonly listed: boolean;
  readonly enabled: boolean;
  /** What clients may ask for that name it by TLS; empty for anything. */
  readonly alpn: readonly string[];
  /** The text behind the `+`. */
  readonly message: string;
  /** Milliseconds without a byte either way; 0 for no limit. */
  readonly idleTimeout: number;
  /**
   * Milliseconds without a byte either way once one side has ended; 0 for no
   * limit.
   */
  readonly halfClosedTimeout: number;
  /**
   * Milliseconds in which a side takes no byte of those that wait for it; 0 for
   * no limit.
   */
  readonly stallTimeout: number;
  /** Milliseconds for the whole session; 0 for no limit. */
  readonly maxDuration: number;
  /** Which clients may use it, of those that may use the server. */
  readonly access: Access;
  /** Which of them, by their certificates. */
  readonly certificates: CertificateList;
  /** When it may be used; undefined for always. */
  readonly hours: Hours | undefined;
  readonly limits: ServiceLimits;
}

export const BUILTINS = [
  "echo",
  "discard",
  "chargen",
  "daytime",
  "time",
  "qotd",
] as const;
export type BuiltinName = typeof BUILTINS[number];

export interface BuiltinService extends ServiceBase {
  readonly kind: "builtin";
  readonly builtin: BuiltinName;
  /** The texts that qotd chooses from; empty for the server's own. */
  readonly quotes: readonly string[];
}

/** What `rlimits` can limit: the keys are those of the table. */
export type RlimitName =
  | "files"
  | "processes"
  | "cpu"
  | "memory"
  | "data"
  | "stack"
  | "file_size"
  | "core";

/**
 * Counts, seconds or bytes. Infinity sets no limit; a limit that is missing
 * stays the server's own.
 */
export type Rlimits = Readonly<Partial<Record<RlimitName, number>>>;

export interface ExecService extends ServiceBase {
  readonly kind: "exec";
  /** The program and its arguments. */
  readonly exec: readonly [string, ...string[]];
  /** Who sends the reply: the server, or the program itself. */
  readonly reply: "server" | "service";
  /** What its standard input and output are; "socket" is as inetd has it. */
  readonly stdio: "pipe" | "socket";
  /** Empty for the server's own. */
  readonly user: string;
  /** Empty for the user's own. */
  readonly group: string;
  /** Undefined for the server's own. */
  readonly nice: number | undefined;
  /** Undefined for the server's own. */
  readonly umask: number | undefined;
  readonly rlimits: Rlimits;
  /** Empty for the server's own. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly passenv: readonly string[];
  readonly stderr: "log" | "null" | "client";
  /** Whether it is ended when its client has ended its side. */
  readonly onClientEnd: "eof" | "terminate";
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly killGrace: number;
}

/** The version of the PROXY protocol by which upstreams learn of the client. */
export type ProxyVersion = 1 | 2;

export interface ConnectService extends ServiceBase {
  readonly kind: "connect";
  /** Tried in this order until one answers. */
  readonly upstreams: readonly [Endpoint, ...Endpoint[]];
  /** For the connection, and for the first byte where that is waited for. */
  readonly connectTimeout: number;
  readonly ready: "connected" | "first-byte";
  readonly proxyProtocol: ProxyVersion | undefined;
  /** In `ca`, `cert` and `key`, names of files; undefined without TLS. */
  readonly tls: TlsDemands | undefined;
}

export interface TcpmuxService extends ServiceBase {
  readonly kind: "tcpmux";
  readonly upstream: Endpoint;
  /** The name to ask the other server for. */
  readonly remoteName: string;
  readonly connectTimeout: number;
  readonly proxyProtocol: ProxyVersion | undefined;
  /** In `ca`, `cert` and `key`, names of files; undefined without TLS. */
  readonly tls: TlsDemands | undefined;
}

export interface TextService extends ServiceBase {
  readonly kind: "text";
  readonly text: string;
}

/**
 * A function that serves one client, for programs that use the library. The
 * service ends when it returns. If it throws, the client's connection is
 * aborted; an error other than a `TcpmuxError` is logged with its stack.
 */
export type Handler = (conn: StreamConn, session: HandlerSession) =>
  | Promise<void>
  | void;

/** What a {@linkcode Handler} can know of its session. */
export interface HandlerSession {
  /** The number of the connection, as in the log. */
  readonly id: number;
  /** The service's name as the table spells it. */
  readonly service: string;
  /** Who is at the other end: addresses, proxy, TLS, certificate. */
  readonly peer: Peer;
  /**
   * Aborted when the session must end: the client has disconnected, a deadline
   * was missed, or the server has stopped.
   */
  readonly signal: AbortSignal;
  /**
   * Aborted as soon as the server begins to stop: the session has the server's
   * `drain_timeout` left to come to an end by itself.
   */
  readonly stopping: AbortSignal;
}

export interface HandlerService extends ServiceBase {
  readonly kind: "handler";
  readonly handler: Handler;
}

/** An address to listen on, and how its clients get to a service. */
export type ListenerSpec = TcpmuxListener | ForwardListener | ProxyListener;

/** The client names the service in its service line (RFC 1078). */
export interface TcpmuxListener {
  readonly protocol: "tcpmux";
  /** Undefined for port 1, or 1078 where port 1 is not permitted. */
  readonly endpoint: ListenAddress | undefined;
  /** Whether that port is one of this machine alone. */
  readonly isLocal?: boolean;
}

/** Every client gets the same service, without a service line or a reply. */
export interface ForwardListener {
  readonly protocol: "forward";
  readonly endpoint: Endpoint & ListenSteps;
  readonly service: TcpmuxService;
}

/** SOCKS5 and HTTP: the host that the client asks for names the service. */
export interface ProxyListener {
  readonly protocol: "proxy";
  readonly endpoint: Endpoint & ListenSteps;
  /** The service of every session, but for its name: clients give that. */
  readonly service: TcpmuxService;
  /** A suffix that a name may have, such as `.mux`; empty for none. */
  readonly suffix: string;
}

/**
 * A key by which two listeners of a table are found to be one: its address. With port 0 the
 * system chooses a port for each service, so the service's name is part of it.
 */
export function listenerKey(listener: ListenerSpec): string {
  if (listener.endpoint === undefined) return "default";
  const address = formatPlace(listener.endpoint);
  const any = listener.endpoint.transport === "tcp" &&
    listener.endpoint.port === 0;
  return any && listener.protocol !== "tcpmux"
    ? `${address} ${listener.service.name}`
    : address;
}

/**
 * The path of a key of a service, in the file.
 *
 * @param key its name in `[services.NAME]`
 * @param ofListener its name where a listener has the service to itself
 */
export function servicePath(
  service: Service,
  listeners: readonly ListenerSpec[],
  key: string,
  ofListener = key,
): string[] {
  const listener = listeners.find((listener) =>
    listener.protocol !== "tcpmux" && listener.service === service
  );
  return listener === undefined
    ? ["services", service.name, key]
    : [...placeOf(listener), ofListener];
}

/** Where the table says what a service leads to, or what it starts. */
export function upstreamPath(
  service: Service,
  listeners: readonly ListenerSpec[],
): string[] {
  return servicePath(service, listeners, service.kind, "server");
}

/** The path of the table, in the file, that defines a listener. */
export function placeOf(listener: ListenerSpec): string[] {
  switch (listener.protocol) {
    case "forward":
      return ["forward", listener.service.name];
    case "proxy":
      return ["proxy"];
    case "tcpmux":
      return ["server"];
  }
}
