import type { ClientConn } from "../client_conn.ts";
import { type Refusal, REFUSALS } from "../policy/decide.ts";
import { after } from "../timeouts.ts";
import type { Patience } from "./handshake.ts";

/**
 * Reads until `take` has made something of it.
 *
 * @param take gets the next bytes, or null at their end; what it gives ends
 * the reading, undefined asks for more
 * @param slow what the client gets when the time is over
 */
export function readPatiently<T>(
  client: ClientConn,
  { timeout, draining }: Patience,
  slow: Refusal,
  take: Take<T>,
): Promise<T | Refusal> {
  return new Promise((resolve, reject) => {
    const end = (made: T | Refusal) => {
      timer?.cancel();
      draining.removeEventListener("abort", drain);
      resolve(made);
    };
    const drain = () => end(REFUSALS.draining);
    const timer = timeout > 0 ? after(timeout, () => end(slow)) : undefined;
    if (draining.aborted) return drain();
    draining.addEventListener("abort", drain, { once: true });
    readOn(client, take).then(end, (error) => {
      timer?.cancel();
      reject(error);
    });
  });
}

type Take<T> = (
  bytes: Uint8Array | null,
) => T | undefined | Promise<T | undefined>;

async function readOn<T>(client: ClientConn, take: Take<T>): Promise<T> {
  for (;;) {
    const made = await take(await client.read());
    if (made !== undefined) return made;
  }
}
