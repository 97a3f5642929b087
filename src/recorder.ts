import type { Log } from "./log.ts";
import type { ConnectionRecord } from "./record.ts";

/** Hands the record of each connection on, and has its line in the log. */
export class Recorder {
  #log: Log;
  #onRecord: (record: ConnectionRecord) => unknown;

  /** @param onRecord whose failures are logged, and harm nobody */
  constructor(
    log: Log,
    onRecord: (record: ConnectionRecord) => unknown = () => {},
  ) {
    this.#log = log;
    this.#onRecord = onRecord;
  }

  take(record: ConnectionRecord): void {
    try {
      const taking = this.#onRecord(record);
      if (taking instanceof Promise) this.#follow(taking, record);
    } catch (error) {
      this.#failed(error, record);
    }
    this.#log("info", "connection", {
      conn: record.conn,
      remote: record.remote,
      local: record.local,
      service: record.service,
      kind: record.kind,
      outcome: record.outcome,
      bytes_in: record.bytesIn,
      bytes_out: record.bytesOut,
      duration_ms: record.durationMs,
      reason: record.reason === "" ? undefined : record.reason,
    });
  }

  async #follow(
    taking: Promise<unknown>,
    record: ConnectionRecord,
  ): Promise<void> {
    try {
      await taking;
    } catch (error) {
      this.#failed(error, record);
    }
  }

  #failed(error: unknown, { conn }: ConnectionRecord): void {
    this.#log("error", "onRecord threw", {
      conn,
      stack: error instanceof Error ? error.stack : String(error),
    });
  }
}
