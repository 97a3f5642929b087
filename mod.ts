/**
 * TCPMUX (RFC 1078) for Deno, Bun and Node: the library. Run as a program,
 * this file is the whole command line.
 *
 * @module
 */
export {
  connect,
  type ConnectOptions,
  RefusedError,
  type ServiceConn,
} from "./src/connect.ts";
export { list } from "./src/list.ts";
export { serve, type ServeOptions, type Server } from "./src/serve.ts";
export type { TableInput } from "./src/table/parse.ts";
export type { HandlerInput, ServiceInput } from "./src/table/schema.ts";
export type { ServerInput } from "./src/table/server_schema.ts";
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
export type { ConnectionRecord, Outcome } from "./src/record.ts";
export type { Log, LogFields } from "./src/log.ts";
export type { Conn, Listener, Transport } from "./src/transport/transport.ts";
export { memoryTransport } from "./src/transport/memory.ts";
export { pickTransport } from "./src/transport/pick.ts";

if (import.meta.main) await (await import("./src/cli/main.ts")).main();
