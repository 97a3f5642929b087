/** The table that is served, a new one at each reload. */
import { programHandsOver } from "../tests/support/server.ts";

export interface Ports {
  /** Of the second TCPMUX server. */
  readonly mux: number;
  /** Of the upstreams. */
  readonly echo: number;
  readonly digest: number;
  /** Where nobody listens. */
  readonly nobody: number;
}

/** Services that are not in every generation of the table. */
export const COMING_AND_GOING = ["spare0", "spare1", "spare2"];

/** Sessions that `limited` may have at a time; changes with each reload. */
const LIMITS = [2, 3, 8];

/** Deno cannot do it: the same services are on pipes there. */
const ON_SOCKET = programHandsOver() ? 'stdio = "socket"' : "";

export interface Generation {
  readonly number: number;
  /** Whether the server itself has too little room now, for any service. */
  readonly tight: boolean;
}

/** What the second server has, and the first as well. */
export const COMMON = `
[services.echo]
builtin = "echo"
[services.cat]
exec = ["cat"]
`;

export function tableOf(generation: Generation, ports: Ports): string {
  const { number, tight } = generation;
  const spare = COMING_AND_GOING[number % COMING_AND_GOING.length];
  return `
[server]
handshake_timeout = "5s"
connect_timeout = "30s"
max_connections = ${tight ? 12 : 1000}
max_connections_per_source = 0
${COMMON}
[services.discard]
builtin = "discard"
[services.chargen]
builtin = "chargen"
[services.daytime]
builtin = "daytime"
[services.time]
builtin = "time"
[services.qotd]
builtin = "qotd"
quotes = ["measure twice"]
[services.sum]
exec = ["sha256sum"]
[services.cat-on-socket]
exec = ["cat"]
${ON_SOCKET}
[services.sum-on-socket]
exec = ["sha256sum"]
${ON_SOCKET}
[services.upstream]
connect = "127.0.0.1:${ports.echo}"
[services.upstream-sum]
connect = ["127.0.0.1:${ports.nobody}", "127.0.0.1:${ports.digest}"]
[services.chained]
tcpmux = "127.0.0.1:${ports.mux}/echo"
[services.chained-cat]
tcpmux = "127.0.0.1:${ports.mux}/cat"
[services.chained-to-nothing]
tcpmux = "127.0.0.1:${ports.mux}/nothing"
[services.dead]
connect = "127.0.0.1:${ports.nobody}"
[services.missing]
exec = ["/nonexistent/program"]
[services.generation]
text = "generation ${number}"
[services.limited]
builtin = "echo"
max_connections = ${LIMITS[number % LIMITS.length]}
[services.rated]
builtin = "echo"
rate = "${5 + number % 20}/s"
[services.${spare}]
text = "${spare}"
`;
}

/** One with a mistake: the table before it stays in force. */
export const WRONG = "[services.echo]\nbuiltin = 1\n";
