/**
 * TCPMUX (RFC 1078) for Deno, Bun and Node: a server, and a client. Importing
 * it does nothing else.
 *
 * @module
 */
export { connect, type ConnectOptions, type ServiceConn } from "./connect.ts";
export { list, type ListOptions } from "./library/list.ts";
export { serve, type ServeOptions, type Server } from "./serve.ts";
export type {
  BuiltinInput,
  CertificatesInput,
  CommonInput,
  ConnectInput,
  ExecInput,
  HandlerInput,
  LogInput,
  PenaltiesInput,
  RlimitsInput,
  ServerInput,
  ServiceInput,
  TableInput,
  TcpmuxInput,
  TextInput,
  TlsInput,
  UpstreamTlsInput,
} from "./table/input.ts";
export type { Handler, HandlerSession } from "./table/service.ts";
export { type Problem, TableError } from "./table/problem.ts";
export {
  type AlternativeName,
  type Endpoint,
  formatEndpoint,
  type NamePart,
  type Peer,
  type PeerCertificate,
  type ServerCertificateFacts,
  type TcpEndpoint,
  TCPMUX_PORT,
  type TlsFacts,
  type UnixEndpoint,
} from "./endpoint.ts";
export { parseEndpoint } from "./parse_endpoint.ts";
export {
  type ErrorCode,
  type ErrorFacts,
  RefusedError,
  TcpmuxError,
} from "./errors.ts";
export type { ConnectionRecord, NamedBy } from "./record.ts";
export {
  forward,
  type LocalAddress,
  type LocalOptions,
  type LocalServer,
  proxy,
  type ProxyOptions,
} from "./library/local.ts";
export { checkTable, type TableFindings } from "./library/check.ts";
export {
  probe,
  type ProbedService,
  type ProbeOptions,
  type ProbeResult,
  type ProbeStatus,
} from "./library/probe.ts";
export { toSocket, type ToSocketOptions } from "./library/to_socket.ts";
export type { RemoteService } from "./table/written.ts";
export type { Duration } from "./units.ts";
export type { EndCode, Outcome } from "./policy/ending.ts";
export type { Log, LogFields, LogLevel } from "./log.ts";
export type { ClientTls } from "./transport/net/tls/demands.ts";
export type { StreamConn } from "./transport/stream_conn.ts";
export type { TransportHandle } from "./transport/transport.ts";
// Users of the library get handles: what a transport does is internal.
export {
  memoryHandle as memoryTransport,
  runtimeHandle as pickTransport,
} from "./transport/pick.ts";
