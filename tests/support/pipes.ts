import { assert } from "@std/assert";
import type { Endpoint } from "../../src/endpoint.ts";
import type { Conn, Transport } from "../../src/transport/transport.ts";
import { pairOf } from "./ends.ts";
import { NotedPump } from "./pumps.ts";

/** A relay's four ends: `left` is piped to `right`, both within it. */
export interface Four {
  readonly sender: Conn;
  readonly left: Conn;
  readonly right: Conn;
  readonly receiver: Conn;
}

/** Runs `use` with four ends, and lets go of all. */
export async function withFour(
  transport: Transport,
  make: () => Endpoint,
  use: (four: Four) => Promise<void>,
): Promise<void> {
  const [sender, left] = await pairOf(transport, make());
  const [right, receiver] = await pairOf(transport, make());
  try {
    await use({ sender, left, right, receiver });
  } finally {
    for (const conn of [sender, left, right, receiver]) conn.abort();
  }
}

/** Begins a pipe, which every real transport has. */
export function pipe(source: Conn, sink: Conn): NotedPump {
  const pump = new NotedPump(source);
  assert(source.pipeTo?.(sink, pump));
  return pump;
}
