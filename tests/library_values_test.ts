/** What a program may write that a file cannot, and what is said of mistakes. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  type ConnectOptions,
  formatEndpoint,
  list,
  memoryTransport,
  pickTransport,
  serve,
  TableError,
  type TableInput,
} from "../mod.ts";
import { buildTable } from "../src/table/parse.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { inMemory } from "./support/in_memory.ts";
import { rejectsWith } from "./support/rejects.ts";

const V4 = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;

describe("an address may be an object:", () => {
  test("one to listen on, one to connect to, and a service's", async () => {
    const transport = memoryTransport();
    const path = { transport: "unix", path: "\0name" } as const;
    const upstream = await serve({
      server: { listen: [V4, path] },
      services: { hello: { text: "Hello" } },
    }, { transport });
    assertEquals(upstream.addresses[1], path);
    const [first] = upstream.addresses;
    const other = await serve({
      server: { listen: V4 },
      services: {
        mux: { connect: first! },
        either: { connect: [first!, path] },
        hello: { tcpmux: { server: first!, service: "hello" } },
        named: {
          tcpmux: { server: formatEndpoint(path), service: "hello" },
        },
      },
    }, { transport });
    const [at] = other.addresses;
    const names = await list(at!, { transport });
    assertEquals(names, ["mux", "either", "hello", "named"]);
    for (const name of ["hello", "named"]) {
      const conn = await connect(at!, name, { transport });
      assertEquals(await readAll(conn), "Hello");
      conn.close();
    }
    for (const name of ["mux", "either"]) {
      const conn = await connect(at!, name, { transport });
      await conn.write(bytes("hello\r\n"));
      assertEquals(await readAll(conn), "+Go\r\nHello");
      conn.close();
    }
    await other.close();
    await upstream.close();
  });

  test("that of the admin listener", () => {
    const { server } = buildTable({ server: { admin: V4 } });
    assertEquals(server.admin, V4);
  });

  test("one that is wrong is said to be", async () => {
    const wrong = { transport: "tcp", host: "h" } as never;
    const error = await rejectsWith("usage", () => connect(wrong, "x"));
    assert(error.message.includes('{"transport":"tcp","host":"h"} is no'));
    await rejectsWith("usage", () => connect({ ...V4, port: 70_000 }, "x"));
    assertThrowsTable(
      { server: { listen: wrong } },
      'server.listen: is {"transport":"tcp","host":"h"}; allowed: HOST:PORT',
    );
  });
});

describe("a duration may be milliseconds or text:", () => {
  test("in a table", () => {
    const { server, services } = buildTable({
      server: {
        handshake_timeout: 1500,
        idle_timeout: "1500ms",
        drain_timeout: 0,
        max_duration: 30 * 24 * 3_600_000,
        penalties: { threshold: 7000, max: "7s" },
      },
      services: {
        a: { exec: ["true"], kill_grace: 20, stall_timeout: 30 },
        b: { handler() {}, idle_timeout: 40 },
      },
    });
    assertEquals(server.handshakeTimeout, 1500);
    assertEquals(server.idleTimeout, 1500);
    assertEquals(server.drainTimeout, 0);
    assertEquals(server.maxDuration, 30 * 24 * 3_600_000);
    const { threshold, max } = server.limits.penalties;
    assertEquals([threshold, max], [7000, 7000]);
    const [a, b] = services;
    assert(a?.kind === "exec");
    assertEquals([a.killGrace, a.stallTimeout, b!.idleTimeout], [20, 30, 40]);
  });

  test("for close", () =>
    inMemory({ services: { wait: (conn) => until(conn) } }, async (set) => {
      const conn = await set.connect("wait\r\n");
      await conn.read();
      await assertRejects(
        () => set.server.close("soon" as never),
        TypeError,
        'drainTimeout is "soon"; allowed: a duration such as "500ms"',
      );
      await set.server.close("20ms");
      assertEquals((await set.record("wait")).outcome, "aborted");
    }));

  test("for connect and list", () =>
    inMemory(
      { services: { a: { text: "A" } } },
      async ({ server, transport }) => {
        const [at] = server.addresses;
        const options: ConnectOptions = {
          transport,
          connectTimeout: "5s",
          replyTimeout: "1m",
        };
        assertEquals(await list(at!, options), ["a"]);
        const conn = await connect(at!, "a", options);
        assertEquals(await readAll(conn), "A");
        conn.close();
        for (const option of ["connectTimeout", "replyTimeout"] as const) {
          for (const value of ["5 s", -1, 1.5, NaN, null, "5d"] as never[]) {
            const wrong = { transport, [option]: value };
            const { message } = await assertRejects(
              () => connect(at!, "a", wrong),
              TypeError,
            );
            assert(message.startsWith(`${option} is `), message);
            await assertRejects(() => list(at!, wrong), TypeError, option);
          }
        }
      },
    ));

  test("a table in TOML has text alone, since a number does not say its unit", async () => {
    await assertRejects(
      () => serve("[server]\nidle_timeout = 30\n"),
      TableError,
      "server.idle_timeout: is 30; allowed: a duration",
    );
  });
});

describe("what is wrong is said with what helps:", () => {
  const mistakes: [string, unknown, string][] = [
    [
      "an address in the place of a service",
      { services: { a: "127.0.0.1:22" } },
      'services.a: is "127.0.0.1:22"; allowed: a table such as ' +
      '{ connect: "127.0.0.1:22" }, or a function',
    ],
    [
      "another text in that place",
      { services: { a: "hello" } },
      'services.a: is "hello"; allowed: a table, or a function',
    ],
    [
      "a handler that is none",
      { services: { a: { handler: 3 } } },
      "services.a.handler: is 3; allowed: a function",
    ],
    [
      "a key of the server one level too high",
      { listen: "127.0.0.1:0" },
      "listen: belongs in server: write server.listen",
    ],
    [
      "a function one level too high",
      { echo: () => {} },
      "echo: belongs in services: write services.echo",
    ],
    [
      "a service one level too high",
      { echo: { builtin: "echo" } },
      "echo: belongs in services: write services.echo",
    ],
  ];
  for (const [what, table, message] of mistakes) {
    test(what, () => assertThrowsTable(table, message));
  }

  test("an address in TOML in the place of a service", async () => {
    await assertRejects(
      () => serve('[services]\na = "127.0.0.1:22"\n'),
      TableError,
      'allowed: a table such as { connect = "127.0.0.1:22" }',
    );
  });

  test("a URL in the place of a server", async () => {
    const error = await rejectsWith(
      "usage",
      () => connect("http://localhost/echo", "echo"),
    );
    assert(error.message.includes("its scheme is http://"), error.message);
  });

  test("no service", async () => {
    const connectTo = connect as (server: string) => Promise<unknown>;
    await assertRejects(
      () => connectTo("localhost:9"),
      TypeError,
      'as in connect("HOST", "NAME"); list("HOST") gives the names',
    );
  });
});

async function until(conn: { read(): Promise<unknown> }): Promise<void> {
  while (await conn.read() !== null);
}

function assertThrowsTable(table: unknown, message: string): void {
  let thrown: unknown;
  try {
    buildTable(table as TableInput);
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof TableError, String(thrown));
  assert(thrown.message.includes(message), thrown.message);
}

describe("a transport", () => {
  const table: TableInput = {
    server: { listen: "127.0.0.1:0" },
    services: { a: { text: "A" } },
  };

  for (const pick of [memoryTransport, pickTransport]) {
    test(`is what ${pick.name} gives, for both sides`, async () => {
      const transport = await pick();
      const server = await serve(table, { transport });
      try {
        const address = server.addresses[0]!;
        const conn = await connect(address, "a", { transport });
        assertEquals(await readAll(conn), "A");
        conn.close();
      } finally {
        await server.close();
      }
    });
  }

  test("is nothing else", async () => {
    const transport = { name: "memory" } as const;
    const use = [
      () => serve(table, { transport }),
      () => connect("127.0.0.1:1", "a", { transport }),
      () => list("127.0.0.1:1", { transport }),
    ];
    for (const call of use) {
      await assertRejects(call, TypeError, "transport must be the result of");
    }
  });
});
