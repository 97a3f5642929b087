import type { Endpoint } from "../../src/endpoint.ts";
import type { TimerList } from "../../src/timers.ts";
import { NetConn } from "../../src/transport/net/conn.ts";
import { NetAttempt } from "../../src/transport/net/connect.ts";
import type { Attempt, AttemptOptions } from "../../src/transport/transport.ts";

/** Connects on the documented node:net alone. */
export function netConnect(
  endpoint: Endpoint,
  options: AttemptOptions,
  timers: TimerList,
): Attempt {
  return new NetAttempt(
    endpoint,
    options,
    (socket, ends) => new NetConn(socket, ends, timers),
  ).start(timers);
}
