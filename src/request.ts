import type { ClientConn } from "./client_conn.ts";
import { malformed, type Refusal, REFUSALS } from "./policy/decide.ts";
import { RequestReader } from "./wire.ts";

export interface Request {
  readonly kind: "request";
  readonly name: string;
}

/** The client came and went without a word: a port scan, a health check. */
export interface Silence {
  readonly kind: "silence";
}

/**
 * Reads the service line. What the client sent behind it stays to be read.
 *
 * @param timeout milliseconds for the whole line; 0 for no limit
 * @param draining aborted when the server stops meanwhile
 */
export async function readRequest(
  client: ClientConn,
  timeout: number,
  draining: AbortSignal,
): Promise<Request | Refusal | Silence> {
  const reader = new RequestReader();
  let giveUp: (refusal: Refusal) => void;
  const givenUp = new Promise<Refusal>((resolve) => giveUp = resolve);
  const timer = timeout > 0
    ? setTimeout(() => giveUp(REFUSALS.slow), timeout)
    : undefined;
  const drain = () => giveUp(REFUSALS.draining);
  if (draining.aborted) drain();
  else draining.addEventListener("abort", drain, { once: true });
  try {
    for (;;) {
      const reading = client.read();
      reading.catch(() => {}); // it may lose the race and fail later
      const bytes = await Promise.race([reading, givenUp]);
      if (bytes === null) {
        return reader.started ? REFUSALS.cutShort : { kind: "silence" };
      }
      if (!(bytes instanceof Uint8Array)) return bytes;
      const state = reader.push(bytes);
      if (state.state === "malformed") return malformed(state.why);
      if (state.state === "line") {
        client.unread(state.rest);
        return { kind: "request", name: state.name };
      }
    }
  } finally {
    clearTimeout(timer);
    draining.removeEventListener("abort", drain);
  }
}
