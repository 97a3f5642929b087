import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type ConnectOptions } from "../src/connect.ts";
import { list } from "../src/library/list.ts";
import { type ErrorCode, RefusedError, TcpmuxError } from "../src/errors.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import { blackhole } from "./support/blackhole.ts";
import { bytes, readAll, readLine, text } from "./support/bytes.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import {
  says,
  saysNothing,
  saysOnAndOn,
  withScripted,
} from "./support/scripted.ts";
import { until } from "./support/wait.ts";

const SERVER = "127.0.0.1:1";

/** A world with one server, which does this with each connection. */
async function world(
  serve: (conn: Conn) => Promise<void>,
): Promise<Transport> {
  const transport = memoryTransport();
  const listener = await transport.listen({
    transport: "tcp",
    host: "127.0.0.1",
    port: 1,
  });
  (async () => {
    for (let conn: Conn | null; (conn = await listener.accept()) !== null;) {
      serve(conn).catch(() => {}); // the client may go at any time
    }
  })();
  return transport;
}

/** A server that reads a line, answers this and ends. */
function answering(answer: string): Promise<Transport> {
  return world(async (conn) => {
    await readLine(conn);
    await conn.write(Uint8Array.from(answer, (char) => char.charCodeAt(0)));
    await conn.closeWrite();
  });
}

/** How `attempt` fails. */
async function failure(attempt: Promise<unknown>): Promise<TcpmuxError> {
  return await assertRejects(() => attempt, TcpmuxError) as TcpmuxError;
}

/** The same servers and the same failures for connect() and list(). */
const attempts: [string, (options: ConnectOptions) => Promise<unknown>][] = [
  ["connect()", (options) => connect(SERVER, "x", options)],
  ["list()", (options) => list(SERVER, options)],
];

describe("connect()", () => {
  test("gives the connection behind the reply", async () => {
    const asked: string[] = [];
    const transport = await world(async (conn) => {
      asked.push(await readLine(conn));
      await conn.write(bytes("+Go ahead\r\nbe"));
      await conn.write(bytes("gin;"));
      for (let part; (part = await conn.read()) !== null;) {
        await conn.write(part);
      }
      await conn.closeWrite();
    });
    const conn = await connect(SERVER, "MiXed", { transport });
    assertEquals([asked, conn.message], [["MiXed\r\n"], "Go ahead"]);
    await conn.write(bytes("hello"));
    await conn.closeWrite();
    assertEquals(await readAll(conn), "begin;hello");
    conn.close();
  });

  test("reads a reply in any pieces", async () => {
    const transport = await world(async (conn) => {
      await readLine(conn);
      for (const byte of bytes("+Go\r\nx")) {
        await conn.write(Uint8Array.of(byte));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await conn.closeWrite();
    });
    const conn = await connect(SERVER, "x", { transport });
    assertEquals([conn.message, await readAll(conn)], ["Go", "x"]);
  });

  test("is Web Streams as well", async () => {
    const transport = await answering("+Go\r\nstreamed");
    const conn = await connect(SERVER, "x", { transport });
    assertEquals(await new Response(conn.readable).text(), "streamed");
  });

  test("sends early bytes with the name", async () => {
    const heard: string[] = [];
    const transport = await world(async (conn) => {
      heard.push(text((await conn.read())!)); // in one piece
      await conn.write(bytes("+\r\n"));
    });
    await connect(SERVER, "x", { transport, early: bytes("early") });
    assertEquals(heard, ["x\r\nearly"]);
  });

  const behind: [string, string[], string][] = [
    ["alone in its segment", ["\0", "data"], "data"],
    ["before data", ["\0data"], "data"],
    ["but not a second one", ["\0\0data"], "\0data"],
    ["but not a second one in a segment of its own", ["\0", "\0"], "\0"],
    ["but not one behind data", ["a", "\0b"], "a\0b"],
    ["where there is one", ["data"], "data"],
    ["and takes the end for the end", ["\0"], ""],
    ["of nothing at all", [], ""],
  ];
  for (const [what, segments, wanted] of behind) {
    for (const along of [true, false]) {
      const where = along ? "along with the reply" : "behind the reply";
      test(`drops a NUL if told to, ${what}, ${where}`, async () => {
        const [first = "", ...rest] = along ? segments : ["", ...segments];
        const transport = await world(async (conn) => {
          await readLine(conn);
          await conn.write(bytes(`+Go\r\n${first}`));
          for (const segment of rest) await conn.write(bytes(segment));
          await conn.closeWrite();
        });
        const read = async (options: ConnectOptions) =>
          await readAll(await connect(SERVER, "x", { transport, ...options }));
        assertEquals(await read({ dropNul: true }), wanted);
        assertEquals(await read({}), segments.join(""));
      });
    }
  }

  test("is a connection: both ends, half-close, interrupt and end", async () => {
    const transport = await world(async (conn) => {
      await readLine(conn);
      await conn.write(bytes("+Go\r\n"));
      await conn.write(bytes(`got ${await readAll(conn)}`));
      await conn.closeWrite();
    });
    const conn = await connect(SERVER, "x", { transport });
    assertEquals(conn.remote, {
      transport: "tcp",
      host: "127.0.0.1",
      port: 1,
    });
    assertEquals(conn.local.transport, "tcp");
    assertEquals([conn.end, await conn.isAlive()], [undefined, true]);
    const reading = conn.read();
    await until("it waits for bytes", () => true);
    const enough = new Error("enough");
    conn.interrupt(enough);
    assert(await assertRejects(() => reading) === enough);
    await conn.write(bytes("a"));
    await Promise.all([conn.closeWrite(), conn.closeWrite()]);
    await conn.closeWrite();
    assertEquals([await readAll(conn), conn.end], ["got a", null]);
    conn.close();
    conn.abort();
    await assertRejects(() => conn.read(), TcpmuxError, "closed");
  });

  test("is Web Streams both ways, and gives early bytes first", async () => {
    const transport = await world(async (conn) => {
      await readLine(conn);
      await conn.write(bytes("+Go\r\nearly "));
      for (let part; (part = await conn.read()) !== null;) {
        await conn.write(part);
      }
      await conn.closeWrite();
    });
    const conn = await connect(SERVER, "x", { transport });
    const sending = new Blob(["late"]).stream().pipeTo(conn.writable);
    assertEquals(await new Response(conn.readable).text(), "early late");
    await sending;
  });

  test("cancelling its Web Stream lets go of it", async () => {
    let ended = false;
    const transport = await world(async (conn) => {
      await readLine(conn);
      await conn.write(bytes("+Go\r\nmore"));
      await conn.read().catch(() => {});
      ended = true;
    });
    const conn = await connect(SERVER, "x", { transport });
    await conn.readable.cancel();
    await until("the server has seen it go", () => ended);
  });

  test("takes no name that cannot stand in a line", async () => {
    const transport = await answering("+\r\n");
    for (const name of ["", "a b", "a\r\nb", "é", "x".repeat(256)]) {
      await assertRejects(
        () => connect(SERVER, name, { transport }),
        TypeError,
        "is not a valid service name",
      );
    }
    await connect(SERVER, "x".repeat(255), { transport });
  });

  test("a reply that ends in the middle is no reply", async () => {
    const transport = await answering("+Go");
    const error = await failure(connect(SERVER, "x", { transport }));
    assertEquals(error.code, "protocol");
    assert(error.message.endsWith("it closed the connection"), error.message);
  });

  const refusals: [string, ErrorCode, string][] = [
    ["-No such service\r\n", "refused", "No such service"],
    ["-\n", "refused", ""],
    ["-Too many connections\r\n", "busy", "Too many connections"],
    ["-Temporarily out of order\r\n", "busy", "Temporarily out of order"],
    ["-a\0\x1bb\r\n", "refused", "a??b"],
  ];
  for (const [answer, code, reply] of refusals) {
    test(`${JSON.stringify(answer)} is ${code}`, async () => {
      const transport = await answering(answer);
      const error = await failure(connect(SERVER, "x", { transport }));
      assert(error instanceof RefusedError);
      assertEquals([error.code, error.reply], [code, reply]);
      assertEquals([error.name, error.address], ["RefusedError", SERVER]);
    });
  }
});

describe("list()", () => {
  const dialects: [string, string[]][] = [
    ["a\r\nb\r\n", ["a", "b"]],
    ["+Services:\r\na\r\nb", ["a", "b"]],
    ["help\na\nb\n", ["a", "b"]],
    ["+HELP\r\nHELP\r\na\r\n\0", ["a"]],
    ["a one\r\nb\r\n", ["b"]],
    ["", []],
    ["\r\n", []],
  ];
  for (const [answer, names] of dialects) {
    test(`understands ${JSON.stringify(answer)}`, async () => {
      const transport = await answering(answer);
      assertEquals(await list(SERVER, { transport }), names);
    });
  }

  test("takes no answer without a name for a list", async () => {
    for (const answer of ["<no list>\r\n", "\xff\xfe\r\n"]) {
      const transport = await answering(answer);
      const error = await failure(list(SERVER, { transport }));
      assertEquals(error.code, "protocol");
    }
  });
});

for (const [name, attempt] of attempts) {
  describe(`${name} fails with`, () => {
    test("refused, and the server's words", async () => {
      const transport = await answering("-Not \x07now\r\n\0");
      const error = await failure(attempt({ transport }));
      assert(error instanceof RefusedError);
      assertEquals([error.code, error.reply], ["refused", "Not ?now"]);
    });

    test("connection_refused where nobody listens", async () => {
      const error = await failure(attempt({ transport: memoryTransport() }));
      assertEquals(error.code, "connection_refused");
    });

    test("timed_out, and lets go of the connection", async () => {
      let ended = false;
      const transport = await world(async (conn) => {
        await readLine(conn);
        await conn.read().catch(() => {});
        ended = true;
      });
      const error = await failure(attempt({ transport, replyTimeout: 50 }));
      assertEquals(error.code, "timed_out");
      await until("the server has seen it go", () => ended);
    });

    test("cancelled, and lets go of the connection", async () => {
      const controller = new AbortController();
      let ended = false;
      const transport = await world(async (conn) => {
        await readLine(conn);
        controller.abort();
        await conn.read().catch(() => {});
        ended = true;
      });
      const { signal } = controller;
      const error = await failure(attempt({ transport, signal }));
      assertEquals(error.code, "cancelled");
      await until("the server has seen it go", () => ended);
      const again = await failure(attempt({ transport, signal }));
      assertEquals(again.code, "cancelled");
    });

    test("connection_reset where the server breaks it", async () => {
      const transport = await world(async (conn) => {
        await readLine(conn);
        conn.abort();
      });
      const error = await failure(attempt({ transport }));
      assertEquals(error.code, "connection_reset");
    });
  });
}

describe("a server's address", () => {
  const answer = says("+Go\r\nhere");

  for (const host of ["127.0.0.1", "::1"]) {
    const address = host === "::1" ? "[::1]" : host;
    test(`${address} with a port`, () =>
      withScripted(answer, async (port) => {
        const conn = await connect(`${address}:${port}`, "x");
        assertEquals(await readAll(conn), "here");
        conn.close();
      }, { host }));

    test(`localhost, where only ${host} listens`, async () => {
      const known = await lookup("localhost", { all: true });
      // Some machines give the name only one address: nothing to try then.
      if (!known.some(({ address }) => address === host)) return;
      await withScripted(answer, async (port) => {
        const conn = await connect(`localhost:${port}`, "x");
        assertEquals(await readAll(conn), "here");
        conn.close();
      }, { host });
    });
  }

  test("is held to a family", () =>
    withScripted(answer, async (port) => {
      const server = `localhost:${port}`;
      const conn = await connect(server, "x", { family: 4 });
      assertEquals(await readAll(conn), "here");
      conn.close();
      await failure(connect(server, "x", { family: 6 }));
    }));

  test("may be a Unix socket", () =>
    withFolder(async (folder) => {
      const path = join(folder, "mux");
      const server = createServer({ allowHalfOpen: true }, answer);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      assert(existsSync(path));
      try {
        const conn = await connect(`unix:${path}`, "x");
        assertEquals(await readAll(conn), "here");
        conn.close();
        const names = await list(`unix:${path}`);
        assertEquals(names, ["here"]);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    }));

  test("says what is wrong with it", async () => {
    for (const address of ["", "a:b", "[::1", "a b", "unix:"]) {
      const error = await failure(connect(address, "x"));
      assertEquals(error.code, "usage", address);
    }
  });
});

describe("on sockets", () => {
  for (const [name, attempt] of [["connect()", connect], ["list()", list]]) {
    const to = (port: number, options: ConnectOptions) =>
      attempt === connect
        ? connect(`127.0.0.1:${port}`, "x", options)
        : list(`127.0.0.1:${port}`, options);

    test(`${name} bounds an answer without end`, () =>
      withScripted(
        saysOnAndOn(attempt === connect ? "+" : ""),
        async (port) => {
          assertEquals((await failure(to(port, {}))).code, "protocol");
        },
      ));

    test(`${name} bounds silence`, () =>
      withScripted(saysNothing, async (port) => {
        const error = await failure(to(port, { replyTimeout: 100 }));
        assertEquals(error.code, "timed_out");
      }));

    test(`${name} is refused where nobody listens`, async () => {
      const error = await failure(to(await freePort(), {}));
      assertEquals(error.code, "connection_refused");
    });

    test(`${name} bounds the connection`, needs("perl"), async () => {
      const { endpoint, close } = await blackhole();
      try {
        assert(endpoint.transport === "tcp");
        const error = await failure(
          to(endpoint.port, { connectTimeout: 100 }),
        );
        assertEquals(error.code, "timed_out");
        const late = await failure(
          to(endpoint.port, { signal: AbortSignal.timeout(100) }),
        );
        assertEquals(late.code, "timed_out");
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 100);
        const { signal } = controller;
        for (const when of ["while it waits", "before"]) {
          const cancelled = await failure(to(endpoint.port, { signal }));
          assertEquals(cancelled.code, "cancelled", when);
        }
      } finally {
        close();
      }
    });
  }

  test("a host that is not known is host_not_found", async () => {
    const error = await failure(connect("name.invalid", "x"));
    assertEquals(error.code, "host_not_found");
  });
});
