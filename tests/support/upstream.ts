import { pickTransport } from "../../src/transport/pick.ts";
import type { Conn } from "../../src/transport/transport.ts";
import { readAll } from "./bytes.ts";

const transport = await pickTransport();

/**
 * Runs `use` with a server of ours, given its port and how many connections
 * it has had. What `serve` throws fails the test.
 */
export async function withUpstream(
  serve: (conn: Conn) => Promise<void>,
  use: (port: number, accepted: () => number) => Promise<void>,
): Promise<void> {
  const listener = await transport.listen({
    transport: "tcp",
    host: "127.0.0.1",
    port: 0,
  });
  const { endpoint } = listener;
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for (let conn: Conn | null; (conn = await listener.accept()) !== null;) {
      serving.push(serve(conn).finally(conn.close.bind(conn)));
      serving.at(-1)!.catch(() => {}); // awaited below
    }
  })();
  try {
    await use(
      endpoint.transport === "tcp" ? endpoint.port : 0,
      () => serving.length,
    );
    await Promise.all(serving);
  } finally {
    listener.close();
    await accepting;
  }
}

/** An upstream that only waits for the other side to go. */
export async function untilGone(conn: Conn): Promise<void> {
  await readAll(conn).catch(() => {}); // a reset
}
