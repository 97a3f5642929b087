import type { LogTo } from "../../log.ts";
import type { LogSettings } from "../../table/table.ts";
import type { Transport } from "../../transport/transport.ts";
import { LogFile } from "./log_file.ts";
import type { LogSink, SayProblem } from "./log_sink.ts";

/**
 * Opens what a log goes to that is not standard error.
 *
 * @throws {TcpmuxError} where it cannot be had
 */
export async function openLog(
  to: Exclude<LogTo, { readonly kind: "stderr" }>,
  format: LogSettings["syslogFormat"],
  transport: Transport,
  say: SayProblem,
): Promise<LogSink> {
  if (to.kind === "file") return new LogFile(to.path, say);
  const { openSyslog } = await import("./syslog.ts");
  return await openSyslog(to, format, transport, say);
}
