/**
 * TCPMUX (RFC 1078) for Deno, Bun and Node: the library. Run as a program,
 * this file is the whole command line.
 *
 * @module
 */
export {
  connect,
  type ConnectOptions,
  list,
  RefusedError,
  type ServiceConn,
} from "./src/connect.ts";
export { serve, type ServeOptions, type Server } from "./src/serve.ts";
export type {
  BuiltinInput,
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
} from "./src/table/input.ts";
export type { Handler, HandlerSession } from "./src/table/service.ts";
export { type Problem, TableError } from "./src/table/problem.ts";
export {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
  type TcpEndpoint,
  TCPMUX_PORT,
  type UnixEndpoint,
} from "./src/endpoint.ts";
export { type ErrorCode, TcpmuxError } from "./src/errors.ts";
export type { ConnectionRecord } from "./src/record.ts";
export type { Outcome } from "./src/policy/refusal.ts";
export type { Log, LogFields } from "./src/log.ts";
export type { StreamConn } from "./src/transport/stream_conn.ts";
export type {
  Attempt,
  Conn,
  Listener,
  Transport,
} from "./src/transport/transport.ts";
export { memoryTransport } from "./src/transport/memory.ts";
export { pickTransport } from "./src/transport/pick.ts";

if (import.meta.main) await (await import("./src/cli/main.ts")).main();
