import type { ClientConn } from "../client_conn.ts";
import { type Refusal, REFUSALS } from "../policy/decide.ts";
import type { Patience } from "./handshake.ts";

/**
 * Reads until `take` has made something of it.
 *
 * @param take gets the next bytes, or null at their end; what it gives ends
 * the reading, undefined asks for more
 * @param slow what the client gets when the time is over
 */
export async function readPatiently<T>(
  client: ClientConn,
  { timeout, draining }: Patience,
  slow: Refusal,
  take: (bytes: Uint8Array | null) => T | undefined | Promise<T | undefined>,
): Promise<T | Refusal> {
  let giveUp: (refusal: Refusal) => void;
  const givenUp = new Promise<Refusal>((resolve) => giveUp = resolve);
  const timer = timeout > 0
    ? setTimeout(() => giveUp(slow), timeout)
    : undefined;
  const drain = () => giveUp(REFUSALS.draining);
  if (draining.aborted) drain();
  else draining.addEventListener("abort", drain, { once: true });
  try {
    for (;;) {
      const reading = client.read();
      reading.catch(() => {}); // it may lose the race and fail later
      const bytes = await Promise.race([reading, givenUp]);
      if (bytes !== null && !(bytes instanceof Uint8Array)) return bytes;
      const made = await take(bytes);
      if (made !== undefined) return made;
    }
  } finally {
    clearTimeout(timer);
    draining.removeEventListener("abort", drain);
  }
}
