import { pickTransport } from "../../src/transport/pick.ts";
import { WrappedConn } from "../../src/transport/stream_conn.ts";
import type { Conn } from "../../src/transport/transport.ts";
import { bytes, readAll, text } from "./bytes.ts";

const transport = await pickTransport();

/** A plain connection to the server. */
export function connectTo(port: number): Promise<Conn> {
  return transport.connect({ transport: "tcp", host: "127.0.0.1", port }).conn;
}

/** Sends `request` as it stands and gives all that comes back. */
export async function exchange(port: number, request: string): Promise<string> {
  const conn = await connectTo(port);
  try {
    await conn.write(bytes(request));
    await conn.closeWrite();
    return await readAll(conn);
  } finally {
    conn.close();
  }
}

/** A connection of which some bytes were read too early. */
class EarlyConn extends WrappedConn {
  #early: Uint8Array | undefined;

  constructor(conn: Conn, early: Uint8Array) {
    super(conn);
    if (early.length > 0) this.#early = early;
  }

  override read(): Promise<Uint8Array | null> {
    const early = this.#early;
    this.#early = undefined;
    return early === undefined ? super.read() : Promise.resolve(early);
  }
}

/** A connection behind the reply to a service's name. */
export class Asked {
  /** Its first read gives what came along with the reply. */
  readonly conn: Conn;
  /** The reply line without its CRLF. */
  readonly reply: string;

  constructor(conn: Conn, reply: string) {
    this.conn = conn;
    this.reply = reply;
  }

  async read(): Promise<string | null> {
    const chunk = await this.conn.read();
    return chunk === null ? null : text(chunk);
  }

  readAll(): Promise<string> {
    return readAll(this.conn);
  }
}

/** Asks for a service and reads the reply line. */
export async function ask(port: number, service: string): Promise<Asked> {
  const conn = await connectTo(port);
  await conn.write(bytes(`${service}\r\n`));
  let all = "";
  while (!all.includes("\n")) {
    const chunk = await conn.read();
    if (chunk === null) break;
    all += text(chunk);
  }
  const end = all.indexOf("\n");
  const line = end < 0 ? all : all.slice(0, end);
  const early = Buffer.from(end < 0 ? "" : all.slice(end + 1), "latin1");
  return new Asked(new EarlyConn(conn, early), line.replace(/\r$/, ""));
}
