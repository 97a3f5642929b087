import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { PushbackConn } from "../src/pushback_conn.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import { bytes, readAll, text } from "./support/bytes.ts";

/** Runs `use` with a connection to which these were sent, one a read. */
async function withSent(
  segments: readonly string[],
  use: (conn: PushbackConn) => Promise<void>,
): Promise<void> {
  const transport = memoryTransport();
  const listener = await transport.listen({
    transport: "tcp",
    host: "127.0.0.1",
    port: 0,
  });
  const conn = new PushbackConn(await transport.connect(listener.endpoint));
  const peer = (await listener.accept())!;
  const sending = (async () => {
    for (const segment of segments) await peer.write(bytes(segment));
    await peer.closeWrite();
  })();
  try {
    await use(conn);
    await sending;
  } finally {
    conn.close();
    peer.close();
    listener.close();
  }
}

describe("PushbackConn", () => {
  test("gives back first what was read too much", () =>
    withSent(["one two ", "three"], async (conn) => {
      const read = (await conn.read())!;
      conn.unread(read.subarray(4));
      assertEquals(text(read.subarray(0, 4)), "one ");
      assertEquals(await readAll(conn), "two three");
    }));

  const cases: [string, string[], string][] = [
    ["alone in its segment", ["\0", "data"], "data"],
    ["before data", ["\0data"], "data"],
    ["but not a second one", ["\0\0data"], "\0data"],
    ["but not a second one in a segment of its own", ["\0", "\0"], "\0"],
    ["but not one behind data", ["a", "\0b"], "a\0b"],
    ["where there is one", ["data"], "data"],
    ["and takes the end for the end", ["\0"], ""],
    ["of nothing at all", [], ""],
  ];
  for (const [what, segments, wanted] of cases) {
    test(`drops an unwanted byte ${what}`, () =>
      withSent(segments, async (conn) => {
        conn.dropNext(0);
        assertEquals(await readAll(conn), wanted);
      }));
  }

  test("drops an unwanted byte of what was given back", () =>
    withSent(["behind"], async (conn) => {
      conn.unread(bytes("\0before "));
      conn.dropNext(0);
      assertEquals(await readAll(conn), "before behind");
    }));
});
