import { pickTransport } from "../../src/transport/pick.ts";
import type { Conn } from "../../src/transport/transport.ts";
import { bytes, readAll, text } from "./bytes.ts";

const transport = await pickTransport();

/** A plain connection to the server. */
export function connectTo(port: number): Promise<Conn> {
  return transport.connect({ transport: "tcp", host: "127.0.0.1", port });
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

/** A connection behind the reply to a service's name. */
export class Asked {
  readonly conn: Conn;
  /** The reply line without its CRLF. */
  readonly reply: string;
  #rest: string;

  constructor(conn: Conn, reply: string, rest: string) {
    this.conn = conn;
    this.reply = reply;
    this.#rest = rest;
  }

  async read(): Promise<string | null> {
    if (this.#rest !== "") {
      const rest = this.#rest;
      this.#rest = "";
      return rest;
    }
    const chunk = await this.conn.read();
    return chunk === null ? null : text(chunk);
  }

  async readAll(): Promise<string> {
    const rest = this.#rest;
    this.#rest = "";
    return rest + await readAll(this.conn);
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
  return new Asked(
    conn,
    line.replace(/\r$/, ""),
    end < 0 ? "" : all.slice(end + 1),
  );
}
