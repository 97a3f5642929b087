import { TcpmuxError } from "../errors.ts";
import { after } from "../timers.ts";
import { type Cancel, Ending } from "./cancel.ts";
import type { ConnectOptions } from "./transport.ts";

/**
 * Runs one attempt that a signal and a time-out may end. The attempt gets a
 * word of its own to stop and must release what it holds when it comes.
 *
 * @throws {TcpmuxError} `timed_out` or `cancelled`, whatever the runtime threw
 */
export async function withDeadline<T>(
  what: string,
  options: ConnectOptions,
  attempt: (ending: Ending) => Promise<T>,
): Promise<T> {
  const { signal, timeout = 0 } = options;
  const ending = new Ending();
  const cancel = () => ending.abort(cancelled(what, signal));
  if (signal?.aborted) throw cancelled(what, signal);
  signal?.addEventListener("abort", cancel, { once: true });
  const timer = timeout > 0
    ? after(timeout, () => {
      ending.abort(timedOut(what, timeout));
    })
    : undefined;
  try {
    return await attempt(ending);
  } catch (error) {
    throw ending.reason ?? error;
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", cancel);
  }
}

export function timedOut(what: string, timeout: number): TcpmuxError {
  return new TcpmuxError("timed_out", `${what}: no answer in ${timeout} ms`);
}

export function cancelled(
  what: string,
  signal: Cancel | undefined,
): TcpmuxError {
  return new TcpmuxError("cancelled", `${what}: cancelled`, {
    cause: signal?.reason,
  });
}
