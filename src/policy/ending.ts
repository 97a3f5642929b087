/** How connections end, in one word each: for the log, programs and metrics. */

/**
 * How a connection ended. `served` and `help`: the client got what it asked
 * for. `unknown`: no service has that name. `denied`: the client may not use
 * it. `busy`: a limit is reached. `malformed`: the request is wrong. `timeout`:
 * a deadline was missed. `failed`: the service could not be opened, or it has a
 * fault. `aborted`: one side broke off, or the server stopped.
 */
export type Outcome =
  | "served"
  | "help"
  | "unknown"
  | "denied"
  | "busy"
  | "malformed"
  | "timeout"
  | "failed"
  | "aborted";

/**
 * The outcome behind each code. A code says what exactly an outcome comes from;
 * it is given by the place that decides. The codes are stable: there may be
 * more of them, and none means another thing one day.
 */
export const OUTCOMES = {
  /** The service ended in good order. */
  ok: "served",
  /** The names of the services were asked for. */
  help: "help",
  /** No service has that name. */
  unknown: "unknown",
  /** A list keeps the client out, or the service or HELP is switched off. */
  denied: "denied",
  /** The service is closed at this hour. */
  closed_hours: "denied",
  /** The server is full: `max_connections`, `max_handshakes`. */
  limit_global: "busy",
  /** The service is full: its `max_connections`. */
  limit_service: "busy",
  /** The client's address has as many connections as one may have. */
  limit_source: "busy",
  /** Connections come too fast: `rate`, `rate_per_source`. */
  rate: "busy",
  /** The client's address has a penalty. */
  penalty: "busy",
  /** The server is stopping, and the client had not named a service yet. */
  draining: "busy",
  /** The request is too long. */
  too_long: "malformed",
  /** The name holds a byte that no name has. */
  bad_byte: "malformed",
  /** The name is empty. */
  empty: "malformed",
  /** What a client of a proxy has sent is neither SOCKS5 nor HTTP. */
  bad_request: "malformed",
  /** The header of a proxy is wrong, missing, or from one that is not trusted. */
  proxy_error: "malformed",
  /** A client of TLS and this server do not agree, or it speaks no TLS. */
  tls_error: "malformed",
  /** A client of TLS has no certificate that is good, and needs one. */
  bad_certificate: "denied",
  /** The client ended before its request did. */
  eof: "malformed",
  /** The client ended before it had sent anything. */
  silence: "aborted",
  /** The request, or the reading of HELP, took longer than it may. */
  timeout: "timeout",
  /** The service could not be opened: its program, its upstream. */
  backend_down: "failed",
  /** The TCPMUX server behind the service has refused it. */
  backend_refused: "failed",
  /** Nothing moved for that time of the table. */
  idle_timeout: "timeout",
  /** One side had ended, and nothing moved for that time of the table. */
  half_closed_timeout: "timeout",
  /** A side took nothing for that time of the table. */
  stall_timeout: "timeout",
  /** The session took as long as the table permits. */
  max_duration: "timeout",
  /** The service began, and has failed. */
  failed: "failed",
  /** One side broke off. */
  aborted: "aborted",
  /** An administrator has ended it. */
  killed: "aborted",
  /** The server has stopped, and the time to end was over. */
  stopped: "aborted",
} as const satisfies Readonly<Record<EndCode, Outcome>>;

/**
 * What exactly the outcome of a connection comes from; docs/log.md says each.
 */
export type EndCode =
  | "ok"
  | "help"
  | "unknown"
  | "denied"
  | "closed_hours"
  | "limit_global"
  | "limit_service"
  | "limit_source"
  | "rate"
  | "penalty"
  | "draining"
  | "too_long"
  | "bad_byte"
  | "empty"
  | "bad_request"
  | "proxy_error"
  | "tls_error"
  | "bad_certificate"
  | "eof"
  | "silence"
  | "timeout"
  | "backend_down"
  | "backend_refused"
  | "idle_timeout"
  | "half_closed_timeout"
  | "stall_timeout"
  | "max_duration"
  | "failed"
  | "aborted"
  | "killed"
  | "stopped";
