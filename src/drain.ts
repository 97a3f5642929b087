import { TcpmuxError } from "./errors.ts";
import type { TimerList } from "./timers.ts";
import type { Conn } from "./transport/transport.ts";

/**
 * Milliseconds in which the system takes what was written. A small reply it
 * takes at once, but when thousands of clients are refused in one moment, a
 * runtime may need seconds until it has come to the last of them.
 */
const WRITE_TIME = 10_000;

/** Milliseconds and bytes for which a client's input is still read. */
const DRAIN_TIME = 2_000;
const DRAIN_BYTES = 256 * 1024;

/** Interrupts the read of `drain` when the time is over. */
const OVER = new TcpmuxError("closed", "the drain is over");

/**
 * Closes a connection so that what was written arrives. Closing with unread
 * input would make the system reset the connection, and the client would lose
 * the last bytes. So the input is read for a moment, bounded in time and bytes.
 */
export async function drain(
  conn: Conn,
  timers: Pick<TimerList, "after">,
): Promise<void> {
  let isOver = false;
  let timer = timers.after(WRITE_TIME, () => conn.abort());
  try {
    await conn.closeWrite();
    timer?.cancel();
    timer = timers.after(DRAIN_TIME, () => {
      isOver = true;
      conn.interrupt(OVER);
    });
    for (let left = DRAIN_BYTES; left > 0 && !isOver;) {
      const bytes = await conn.read();
      if (bytes === null) break;
      left -= bytes.length;
    }
  } catch {
    // The client is gone, or the time is over: either way the drain ends.
  } finally {
    timer?.cancel();
    conn.close();
  }
}
