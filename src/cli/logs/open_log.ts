import type { LogTo } from "../../table/table.ts";
import type { Transport } from "../../transport/transport.ts";
import { LogFile } from "./log_file.ts";
import type { LogSink, SayProblem } from "./log_sink.ts";

/**
 * Opens what a log goes to that is not standard error.
 *
 * @throws {TcpmuxError} where that cannot be had
 */
export function openLog(
  to: Exclude<LogTo, { readonly kind: "stderr" }>,
  _: Transport,
  say: SayProblem,
): LogSink {
  return new LogFile(to.path, say);
}
