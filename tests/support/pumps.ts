import { assertEquals } from "@std/assert";
import type { Conn, Pump } from "../../src/transport/transport.ts";
import { until } from "./wait.ts";

/** Notes what it is told of one pipe; nothing may come after its end. */
export class NotedPump implements Pump {
  count = 0;
  /** `over`, `sink broken`, or the error that broke the source. */
  end: "over" | "sink broken" | Error | undefined;
  error: Error | undefined;
  readonly #source: Conn;

  constructor(source: Conn) {
    this.#source = source;
  }

  held(): void {}

  moved(source: Conn, count: number): void {
    assertEquals(source === this.#source, true, "of another source");
    assertEquals(this.end, undefined, "bytes moved after the end");
    this.count += count;
  }

  over(source: Conn, end: null | Error): void {
    this.#note(source, end ?? "over");
  }

  sinkBroken(source: Conn, error: Error): void {
    this.error = error;
    this.#note(source, "sink broken");
  }

  #note(source: Conn, end: "over" | "sink broken" | Error): void {
    assertEquals(source === this.#source, true, "of another source");
    assertEquals(this.end, undefined, `${end} after ${this.end}`);
    this.end = end;
  }

  ended(): Promise<unknown> {
    return until("the pipe is over", () => this.end !== undefined);
  }
}
