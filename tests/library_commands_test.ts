/** The commands forward, proxy and check as functions. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  checkTable,
  forward,
  probe,
  proxy,
  serve,
  TableError,
  type TableInput,
} from "../mod.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { bytes, readAll } from "./support/bytes.ts";

const V4 = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
const TABLE: TableInput = {
  server: { listen: V4 },
  services: { echo: { builtin: "echo" }, about: { text: "tcpmux" } },
};

for (const transport of [await pickTransport(), memoryTransport()]) {
  describe(`on ${transport.name}`, () => {
    test("forward listens for each service, and closes", async () => {
      const server = await serve(TABLE, { transport });
      const [mux] = server.addresses;
      const local = await forward(mux!, { echo: 0, about: V4 }, { transport });
      const [echo, about] = local.addresses;
      const conn = await transport.connect(echo!).conn;
      await conn.write(bytes("hello"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "hello");
      conn.close();
      const other = await transport.connect(about!).conn;
      assertEquals(await readAll(other), "tcpmux");
      other.close();
      await local.close(0);
      await local.closed;
      await assertRejects(() => transport.connect(echo!).conn);
      await server.close(0);
    });

    for (const proxyProtocol of [1, 2] as const) {
      test(`forward announces its clients by version ${proxyProtocol}`, async () => {
        const server = await serve({
          server: {
            listen: "proxy://127.0.0.1:0",
            trusted_proxies: ["127.0.0.1"],
          },
          services: { about: { text: "announced" } },
        }, { transport });
        const local = await forward(server.addresses[0]!, { about: 0 }, {
          transport,
          proxyProtocol,
        });
        const conn = await transport.connect(local.addresses[0]!).conn;
        assertEquals(await readAll(conn), "announced");
        conn.close();
        await local.close(0);
        await server.close(0);
      });
    }

    test("proxy leads to the service that a client names", async () => {
      const server = await serve(TABLE, { transport });
      const local = await proxy("127.0.0.1:0", server.addresses[0]!, {
        transport,
        suffix: "mux",
        idleTimeout: "1m",
      });
      const conn = await transport.connect(local.addresses[0]!).conn;
      await conn.write(bytes("CONNECT about.mux:1 HTTP/1.1\r\n\r\n"));
      const answer = await readAll(conn);
      conn.close();
      assert(/^HTTP\/1.1 200 .*\r\n\r\ntcpmux$/s.test(answer), answer);
      await local[Symbol.asyncDispose]();
      await server.close(0);
    });
  });
}

describe("forward and proxy say what is wrong:", () => {
  const wrong: [string, () => Promise<unknown>, string][] = [
    [
      "all of the addresses and names",
      () => forward("mux", { "a b": 1, c: "nowhere" }),
      'c: is "nowhere"; allowed: PORT (on 127.0.0.1)',
    ],
    ["a server", () => forward("mux:x", { a: 1 }), 'server: is "mux:x"'],
    ["no service", () => forward("mux", {}), "nothing to forward"],
    [
      "an address that two services have",
      () => forward("mux", { a: 1234, b: "127.0.0.1:1234" }),
      "b: 127.0.0.1:1234 is already used by the forward a",
    ],
    ["an address for a proxy", () => proxy("x", "mux"), 'listen: is "x"'],
    [
      "a version of the PROXY protocol",
      () => forward("mux", { a: 1 }, { proxyProtocol: 3 as never }),
      "proxyProtocol: is 3; allowed: 1 or 2",
    ],
    [
      "a suffix",
      () => proxy(1, "mux", { suffix: "a b" }),
      'suffix: is ".a b"',
    ],
  ];
  for (const [what, run, message] of wrong) {
    test(what, async () => {
      const error = await assertRejects(run, TableError);
      assert(error.message.includes(message), error.message);
    });
  }

  test("an option that is no duration", async () => {
    await assertRejects(
      () => forward("mux", { a: 1 }, { connectTimeout: "5 s" as never }),
      TypeError,
      'connectTimeout is "5 s"',
    );
  });
});

describe("probe", () => {
  test("gives the state of each service, and the worst", async () => {
    const server = await serve({
      ...TABLE,
      services: { ...TABLE.services, over: (conn) => conn.close() },
    });
    const [mux] = server.addresses;
    const listed = await probe(mux!);
    assertEquals(
      [listed.status, listed.services[0]!.message],
      ["OK", "3 services"],
    );
    const asked = await probe(mux!, ["echo", "over", "missing"], {
      timeout: "5s",
    });
    assertEquals(asked.status, "CRITICAL");
    const states = asked.services.map(({ name, status }) => [name, status]);
    assertEquals(states, [
      ["echo", "OK"],
      ["over", "WARNING"],
      ["missing", "CRITICAL"],
    ]);
    const said = { send: "ping", expect: "ping" };
    assertEquals((await probe(mux!, ["echo"], said)).status, "OK");
    await server.close(0);
    const gone = await probe(mux!, ["echo"]);
    assertEquals(gone.status, "CRITICAL");
    assertEquals(gone.services[0]!.seconds, null);
  });

  test("says what is wrong with its options", async () => {
    const limits = { warning: "2s", critical: 1000 } as const;
    await assertRejects(() => probe("mux", ["a"], limits), RangeError);
    await assertRejects(() => probe("mux", [], { send: "x" }), TypeError);
    await assertRejects(
      () => probe("mux", ["a"], { timeout: "soon" as never }),
      TypeError,
      'timeout is "soon"',
    );
  });
});

describe("checkTable", () => {
  test("finds nothing in a table that can be served", async () => {
    assertEquals(await checkTable(TABLE), { errors: [], warnings: [] });
  });

  test("gives every error with its line", async () => {
    const text = '[services.a]\nbuiltin = "ecko"\n[services.b]\nlsten = 1\n';
    const { errors, warnings } = await checkTable(text);
    assertEquals(
      errors.map(({ line, key }) => [line, key]),
      [[2, "services.a.builtin"], [3, "services.b"]],
    );
    assertEquals(warnings, []);
  });

  test("warns of an address that is in use", async () => {
    const server = await serve(TABLE);
    const { errors, warnings } = await checkTable({
      server: { listen: server.addresses[0]! },
      services: { a: () => {} },
    });
    assertEquals(errors, []);
    assertEquals(warnings.map(({ key }) => key), ["server.listen[0]"]);
    await server.close(0);
  });
});
