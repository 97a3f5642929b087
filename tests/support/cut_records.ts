import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "./server.ts";

/** Where what a client sends is cut off, and how. */
export interface Cut {
  readonly way: "end" | "reset" | "stall";
  /** So many whole records are passed on. */
  readonly records: number;
  /** And so many bytes of the next one. */
  readonly bytes: number;
}

/** A record of TLS that was passed on. */
export interface Passed {
  readonly type: number;
  readonly length: number;
}

/**
 * Runs `use` with the port of a relay to a server of TLS that cuts off what its
 * one client sends.
 *
 * @returns the whole records that it has passed on
 */
export async function withCutter(
  port: number,
  { way, records, bytes }: Cut,
  use: (port: number) => Promise<unknown>,
): Promise<readonly Passed[]> {
  const child = spawn("perl", [
    join(ROOT, "tests/support/cut_records.pl"),
    ...[String(port), way, String(records), String(bytes)],
  ], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise((resolve) => child.once("close", resolve));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  try {
    await use(Number((await lines.next()).value));
    const told: string = (await lines.next()).value ?? "";
    return told.split(" ").filter((one) => one !== "").map((one) => {
      const [type, length] = one.split(":").map(Number);
      return { type: type!, length: length! };
    });
  } finally {
    child.stdin.end();
    await exited;
  }
}
