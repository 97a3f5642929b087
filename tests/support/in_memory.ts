import {
  type ConnectionRecord,
  type Endpoint,
  type LogFields,
  serve,
  type ServeOptions,
  type Server,
  type TableInput,
} from "../../mod.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import type { Conn, Transport } from "../../src/transport/transport.ts";
import { bytes, readAll } from "./bytes.ts";
import { until } from "./wait.ts";

export interface Logged {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A server in memory, with what it logged and recorded. */
export class InMemory {
  readonly transport: Transport;
  readonly log: Logged[] = [];
  readonly records: ConnectionRecord[] = [];
  server!: Server;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async start(
    table: TableInput | string,
    options: ServeOptions = {},
  ): Promise<void> {
    this.server = await serve(table, {
      transport: this.transport,
      log: (level, message, fields = {}) =>
        this.log.push({ level, message, fields }),
      onRecord: (record) => this.records.push(record),
      ...options,
    });
  }

  /** A client that has sent this, if nothing is said to the first listener. */
  async connect(
    request: string,
    to: Endpoint = this.server.addresses[0]!,
  ): Promise<Conn> {
    const conn = await this.transport.connect(to).conn;
    await conn.write(bytes(request));
    return conn;
  }

  /** All that a client gets who sends this and ends its side. */
  async ask(request: string): Promise<string> {
    const conn = await this.connect(request);
    await conn.closeWrite();
    const answer = await readAll(conn);
    conn.close();
    return answer;
  }

  record(service: string): Promise<ConnectionRecord> {
    return until(
      `there is a record of ${service}`,
      () => this.records.find((record) => record.service === service) ?? false,
    ) as Promise<ConnectionRecord>;
  }
}

/** Runs `use` with a server of that table, on an address of its own choice. */
export async function inMemory(
  table: TableInput | string,
  use: (server: InMemory) => Promise<void>,
  { transport = memoryTransport(), ...options }:
    & ServeOptions
    & { transport?: Transport } = {},
): Promise<void> {
  const running = new InMemory(transport);
  const listen = { listen: "127.0.0.1:0" };
  await running.start(
    typeof table === "string"
      ? table
      : { ...table, server: { ...listen, ...table.server } },
    options,
  );
  try {
    await use(running);
  } finally {
    await running.server.close(0);
  }
}
