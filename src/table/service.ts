import type { Endpoint } from "../endpoint.ts";
import type { Access } from "../policy/access.ts";
import type { Hours } from "../policy/hours.ts";
import type { ServiceLimits } from "../policy/limit_settings.ts";
import type { Conn } from "../transport/transport.ts";
import type { Rlimits } from "./rlimits.ts";

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
  /** The text behind the `+`. */
  readonly message: string;
  /** Milliseconds without a byte either way; 0 for no limit. */
  readonly idleTimeout: number;
  /** Milliseconds in all; 0 for no limit. */
  readonly maxDuration: number;
  /** Who may use it, besides what the server says. */
  readonly access: Access;
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
  /** What qotd chooses from. */
  readonly quotes: readonly string[];
}

export interface ExecService extends ServiceBase {
  readonly kind: "exec";
  /** The program and its arguments. */
  readonly exec: readonly [string, ...string[]];
  /** Who sends the reply line: the server, or the program itself. */
  readonly reply: "server" | "service";
  /** What its standard input and output are; "socket" is as inetd does. */
  readonly stdio: "pipe" | "socket";
  /** Empty: as the server runs. */
  readonly user: string;
  readonly group: string;
  /** Undefined: the server's own, as with the next. */
  readonly nice: number | undefined;
  readonly umask: number | undefined;
  readonly rlimits: Rlimits;
  /** Empty: the server's own. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly passenv: readonly string[];
  readonly stderr: "log" | "null" | "client";
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly killGrace: number;
}

export interface ConnectService extends ServiceBase {
  readonly kind: "connect";
  /** Tried in this order until one answers. */
  readonly upstreams: readonly [Endpoint, ...Endpoint[]];
  readonly connectTimeout: number;
}

export interface TcpmuxService extends ServiceBase {
  readonly kind: "tcpmux";
  readonly upstream: Endpoint;
  /** The name to ask the other server for. */
  readonly remoteName: string;
  readonly connectTimeout: number;
}

export interface TextService extends ServiceBase {
  readonly kind: "text";
  readonly text: string;
}

/** What a program that uses the library serves with. */
export type Handler = (conn: Conn, session: HandlerSession) =>
  | Promise<void>
  | void;

/** What a {@linkcode Handler} may want to know besides its connection. */
export interface HandlerSession {
  /** The number of the connection, as in the log. */
  readonly id: number;
  /** The service's name as the table spells it. */
  readonly service: string;
  /** Aborted when the server stops and the drain time is over. */
  readonly signal: AbortSignal;
}

export interface HandlerService extends ServiceBase {
  readonly kind: "handler";
  readonly handler: Handler;
}
