import type { LogLine } from "../tests/support/server.ts";

/** What else the log says where the table is as it is here. */
const EXPECTED = new Set([
  "warning about the table",
  "full: new clients are refused",
]);

/** Services that cannot be opened: their sessions fail, as they shall. */
const FAILING = new Set(["dead", "missing", "chained-to-nothing"]);

interface Carried {
  readonly service: string;
  readonly sent: number;
  readonly received: number;
}

/**
 * Reads the server's log as it grows. What must not stand there is a fault;
 * and of each connection that went to its end, the record has the very bytes
 * that the client counted.
 */
export class Watch {
  readonly outcomes: Record<string, number> = {};
  records = 0;
  compared = 0;
  reloads = 0;
  refusedReloads = 0;
  #fault: (what: string) => void;
  /** By the client's port, until the other side's figures have come. */
  #records = new Map<number, LogLine>();
  #carried = new Map<number, Carried>();

  constructor(fault: (what: string) => void) {
    this.#fault = fault;
  }

  /** Takes the lines; they are not needed any more then. */
  take(lines: readonly LogLine[], other: readonly string[]): void {
    for (const line of lines) this.#line(line);
    for (const line of other) {
      if (line !== "") this.#fault(`the server said: ${line}`);
    }
  }

  /** A connection begins: that port had another one before. */
  began(port: number): void {
    this.#records.delete(port);
    this.#carried.delete(port);
  }

  carried(port: number, what: Carried): void {
    const record = this.#records.get(port);
    this.#records.delete(port);
    if (record?.service === what.service) this.#compare(record!, what);
    else this.#carried.set(port, what);
  }

  /** Connections that went to their end and have no record. */
  get unrecorded(): number {
    return this.#carried.size;
  }

  #line(line: LogLine): void {
    if (line.message === "connection") this.#record(line);
    else if (line.message === "reloaded") this.reloads++;
    else if (line.message.startsWith("not reloaded")) this.refusedReloads++;
    else if (EXPECTED.has(line.message)) return;
    else if (line.level === "error" || line.level === "warn") {
      this.#fault(`logged: ${JSON.stringify(line)}`);
    }
  }

  #record(line: LogLine): void {
    this.records++;
    const outcome = String(line.outcome);
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    if (outcome === "failed" && !FAILING.has(String(line.service))) {
      this.#fault(`logged: ${JSON.stringify(line)}`);
    }
    // Others end in many ways, and a late one may be of the port's last client.
    if (outcome !== "served") return;
    const port = Number(/:(\d+)$/.exec(String(line.remote))?.[1]);
    const carried = this.#carried.get(port);
    if (carried?.service === line.service) {
      this.#carried.delete(port);
      this.#compare(line, carried!);
    } else this.#records.set(port, line);
  }

  #compare(record: LogLine, { service, sent, received }: Carried): void {
    this.compared++;
    if (record.bytes_in === sent && record.bytes_out === received) return;
    this.#fault(
      `of ${service}, sent ${sent} and received ${received}: the record is ${
        JSON.stringify(record)
      }`,
    );
  }
}
