import { TcpmuxError } from "../errors.ts";
import type { ConnectOptions } from "./transport.ts";

/**
 * Runs one attempt that a signal and a time-out may end. The attempt gets a
 * signal of its own and must release what it holds when that is aborted.
 *
 * @throws {TcpmuxError} `timed_out` or `cancelled`, whatever the runtime threw
 */
export async function withDeadline<T>(
  what: string,
  options: ConnectOptions,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, timeout = 0 } = options;
  const controller = new AbortController();
  let reason: TcpmuxError | undefined;
  const giveUp = (error: TcpmuxError) => {
    reason ??= error;
    controller.abort(reason);
  };
  const cancel = () =>
    giveUp(
      new TcpmuxError("cancelled", `${what}: cancelled`, {
        cause: signal?.reason,
      }),
    );
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  const timer = timeout > 0
    ? setTimeout(() => {
      giveUp(
        new TcpmuxError("timed_out", `${what}: no answer in ${timeout} ms`),
      );
    }, timeout)
    : undefined;
  try {
    if (reason !== undefined) throw reason;
    return await attempt(controller.signal);
  } catch (error) {
    throw reason ?? error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}
