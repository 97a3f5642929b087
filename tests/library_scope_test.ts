/** What closes by itself, what is iterated over, and the start of the drain. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { connect, type Server } from "../mod.ts";
import { bytes, readLine, text } from "./support/bytes.ts";
import { inMemory } from "./support/in_memory.ts";
import { rejectsWith } from "./support/rejects.ts";
import { until } from "./support/wait.ts";

describe("a connection", () => {
  const services = {
    // Node 22 cannot read `await using`, so the method is called by its name.
    count: async (conn: AsyncIterable<Uint8Array> & Closing) => {
      let count = 0;
      for await (const chunk of conn) count += chunk.length;
      await conn.write(bytes(String(count)));
    },
    twice: { text: "12" },
  };

  test("is iterated over until its end, on either side", () =>
    inMemory({ services }, async ({ server, transport }) => {
      const conn = await connect(server.addresses[0]!, "count", { transport });
      await conn.write(new Uint8Array(100_000));
      await conn.closeWrite();
      let said = "";
      for await (const chunk of conn) said += text(chunk);
      assertEquals(said, "100000");
      await conn[Symbol.asyncDispose]();
    }));

  test("goes on behind a loop that was left, and not once disposed of", () =>
    inMemory({
      services: {
        slow: async (conn) => {
          await conn.write(bytes("a"));
          await conn.read();
          await conn.write(bytes("b"));
        },
      },
    }, async ({ server, transport }) => {
      const conn = await connect(server.addresses[0]!, "slow", { transport });
      for await (const chunk of conn) {
        assertEquals(text(chunk), "a");
        break;
      }
      await conn.write(bytes("go on"));
      assertEquals(text((await conn.read())!), "b");
      await conn[Symbol.asyncDispose]();
      await rejectsWith("closed", () => conn.read());
      await conn[Symbol.asyncDispose]();
    }));
});

interface Closing {
  write(bytes: Uint8Array): Promise<void>;
}

describe("session.stopping", () => {
  test("is aborted when the server begins to stop, signal only at the end", () => {
    const seen: string[] = [];
    return inMemory({
      server: { drain_timeout: "1m" },
      services: {
        wait: async (conn, { signal, stopping }) => {
          assert(!stopping.aborted && !signal.aborted);
          await conn.write(bytes("ready\r\n"));
          await new Promise((resolve) =>
            stopping.addEventListener("abort", resolve)
          );
          seen.push(`stopping ${stopping.aborted} ${signal.aborted}`);
          await conn.write(bytes("goodbye\r\n"));
        },
      },
    }, async (set) => {
      const conn = await set.connect("wait\r\n");
      await readLine(conn);
      assertEquals(await readLine(conn), "ready\r\n");
      const closing = set.server.close();
      assertEquals(await readLine(conn), "goodbye\r\n");
      conn.close();
      await closing;
      assertEquals(seen, ["stopping true false"]);
      assertEquals((await set.record("wait")).outcome, "served");
    });
  });

  test("is aborted where the function itself stops the server", () => {
    let server: Server | undefined;
    let isTold = false;
    return inMemory({
      services: {
        stop: (_, { stopping }) => {
          server!.close();
          isTold = stopping.aborted;
        },
      },
    }, async (set) => {
      server = set.server;
      const conn = await set.connect("stop\r\n");
      await until("the function was told", () => isTold);
      conn.close();
      await server.closed;
    });
  });
});
