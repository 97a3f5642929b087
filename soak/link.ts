import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import { requestLine } from "../src/wire.ts";
import type { Random } from "../tests/support/random.ts";
import { sleep } from "../tests/support/wait.ts";

const transport = await pickTransport();

export function connectTo(port: number): Promise<Conn> {
  const to = { transport: "tcp", host: "127.0.0.1", port } as const;
  return transport.connect(to).conn;
}

/** A connection on which a service was asked for and has been answered. */
export class ServiceLink {
  readonly conn: Conn;
  /** Without its end; empty where there was none. */
  readonly reply: string;
  #rest: Uint8Array;

  constructor(conn: Conn, reply: string, rest: Uint8Array) {
    this.conn = conn;
    this.reply = reply;
    this.#rest = rest;
  }

  /** The client's port, by which the server's log knows it. */
  get port(): number {
    const { local } = this.conn;
    return local.transport === "tcp" ? local.port : 0;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#rest.length === 0) return await this.conn.read();
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    return rest;
  }

  /** All that comes, as text; for what is short. */
  async readAll(): Promise<string> {
    let text = "";
    for (let bytes; (bytes = await this.read()) !== null;) {
      text += Buffer.from(bytes).toString("latin1");
    }
    return text;
  }
}

/**
 * Asks for a service, in one segment or in several, and reads the reply.
 *
 * @param early what is sent behind the name without waiting
 */
export async function ask(
  port: number,
  service: string,
  random: Random,
  early?: Uint8Array,
): Promise<ServiceLink> {
  const conn = await connectTo(port);
  try {
    const request = requestLine(service, early);
    const cut = random.oneIn(5) ? 1 + random.below(request.length) : 0;
    if (cut > 0) {
      await conn.write(request.subarray(0, cut));
      await sleep(random.below(20));
    }
    await conn.write(request.subarray(cut));
    return await answered(conn);
  } catch (error) {
    conn.abort();
    throw error;
  }
}

/** Reads the reply line. */
export async function answered(conn: Conn): Promise<ServiceLink> {
  let held: Uint8Array = new Uint8Array(0);
  for (;;) {
    const end = held.indexOf(0x0a);
    if (end >= 0) {
      const line = Buffer.from(held.subarray(0, end)).toString("latin1");
      return new ServiceLink(
        conn,
        line.replace(/\r$/, ""),
        held.subarray(end + 1),
      );
    }
    const bytes = await conn.read();
    if (bytes === null) return new ServiceLink(conn, "", held);
    held = new Uint8Array(Buffer.concat([held, bytes]));
  }
}
