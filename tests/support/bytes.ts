import { createHash, type Hash } from "node:crypto";
import type { Conn } from "../../src/transport/transport.ts";

const encoder = new TextEncoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One byte a character, so that any byte can be compared as text. */
export function text(chunk: Uint8Array): string {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    .toString("latin1");
}

/** All that comes until the end of the stream. */
export async function readAll(conn: Pick<Conn, "read">): Promise<string> {
  let all = "";
  for (let chunk; (chunk = await conn.read()) !== null;) all += text(chunk);
  return all;
}

/** At least `count` bytes, or fewer at the end of the stream. */
export async function readSome(
  conn: Pick<Conn, "read">,
  count: number,
): Promise<string> {
  let all = "";
  while (all.length < count) {
    const chunk = await conn.read();
    if (chunk === null) break;
    all += text(chunk);
  }
  return all;
}

/** Up to and with the first LF. */
export async function readLine(conn: Pick<Conn, "read">): Promise<string> {
  let all = "";
  while (!all.includes("\n")) {
    const chunk = await conn.read();
    if (chunk === null) break;
    all += text(chunk);
  }
  return all;
}

/** Bytes that repeat after a prime, so that a shift of any kind shows. */
export function pattern(length: number): Uint8Array {
  const chunk = new Uint8Array(length);
  for (let i = 0; i < length; i++) chunk[i] = i % 251;
  return chunk;
}

/** Writes `total` bytes of the pattern and gives their digest. */
export async function writePattern(
  conn: Pick<Conn, "write">,
  total: number,
): Promise<string> {
  const hash = createHash("sha256");
  const block = pattern(251 * 256);
  for (let left = total; left > 0; left -= block.length) {
    const chunk = left < block.length ? block.subarray(0, left) : block;
    hash.update(chunk);
    await conn.write(chunk);
  }
  return hash.digest("hex");
}

/** Reads to the end and gives the count and the digest. */
export async function digestAll(
  conn: Pick<Conn, "read">,
): Promise<{ count: number; digest: string }> {
  const hash: Hash = createHash("sha256");
  let count = 0;
  for (let chunk; (chunk = await conn.read()) !== null;) {
    hash.update(chunk);
    count += chunk.length;
  }
  return { count, digest: hash.digest("hex") };
}

/** A read that gives one chunk and then the end. */
export function once(chunk: Uint8Array): () => Promise<Uint8Array | null> {
  let next: Uint8Array | null = chunk;
  return () => {
    const now = next;
    next = null;
    return Promise.resolve(now);
  };
}
