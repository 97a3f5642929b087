/** What a service that a probe has opened says. */
import { clearTimeout, setTimeout } from "node:timers";
import { TcpmuxError } from "../errors.ts";
import type { StreamConn } from "../transport/stream_conn.ts";

/**
 * Milliseconds in which a service that was opened must not end without a byte.
 * A server that accepts and closes, such as the published port of a container
 * that is not up, does so at once.
 */
const MOMENT = 200;

/** Bytes of an answer that are searched at the most. */
const MAX_ANSWER = 64 * 1024;

/** What a service has said so far behind its `+`, one character a byte. */
export interface Heard {
  text: string;
}

/** Whether the service ends, or breaks off, before it has said anything. */
export async function endsAtOnce(conn: StreamConn): Promise<boolean> {
  const timer = setTimeout(() => conn.interrupt(WAITED), MOMENT);
  try {
    return await conn.read() === null;
  } catch (error) {
    return error !== WAITED;
  } finally {
    clearTimeout(timer);
  }
}

const WAITED = new TcpmuxError("cancelled", "it goes on");

/** Reads until the bytes so far hold the text. */
export async function hear(conn: StreamConn, wanted: string, heard: Heard) {
  const fail = (how: string): never => {
    throw new TcpmuxError("protocol", `${how} without ${excerpt(wanted)}`);
  };
  while (!heard.text.includes(wanted)) {
    const room = MAX_ANSWER - heard.text.length;
    if (room === 0) fail(`the first ${MAX_ANSWER} bytes came`);
    const bytes = await conn.read();
    if (bytes === null) return fail("the answer ended");
    heard.text += characters(bytes.subarray(0, room));
  }
}

export function excerpt(text: string): string {
  return `"${text.slice(0, 100)}${text.length > 100 ? "..." : ""}"`;
}

/** The bytes as text, one character a byte. */
export function characters(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
