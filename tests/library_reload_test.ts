/** Another table while the server runs. */
import { describe, test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import {
  formatEndpoint,
  parseEndpoint,
  type Server,
  TableError,
  type TableInput,
  TcpmuxError,
} from "../mod.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import { bytes, readLine, readSome } from "./support/bytes.ts";
import { inMemory } from "./support/in_memory.ts";

const ONE = "127.0.0.1:1";
const TWO = "127.0.0.1:2";
const THREE = "127.0.0.1:3";

function echoOn(...listen: string[]): TableInput {
  return { server: { listen }, services: { echo: { builtin: "echo" } } };
}

function addresses(server: Server): string[] {
  return server.addresses.map(formatEndpoint).toSorted();
}

async function echoes(conn: Conn): Promise<void> {
  await conn.write(bytes("still here"));
  assertEquals(await readSome(conn, 10), "still here");
}

describe("reload", () => {
  test("adds and removes services; sessions keep theirs", () =>
    inMemory(echoOn(ONE), async (set) => {
      const conn = await set.connect("echo\r\n");
      assertEquals(await readLine(conn), "+Go\r\n");
      await set.server.reload({
        server: { listen: ONE },
        services: { about: { text: "new" } },
      });
      assertEquals(await set.ask("about\r\n"), "+Go\r\nnew");
      assertEquals(await set.ask("echo\r\n"), "-Service not available\r\n");
      await echoes(conn);
      conn.close();
    }));

  test("changes the listeners that differ, and no others", async () => {
    const transport = memoryTransport();
    let listened = 0;
    const counting: Transport = {
      ...transport,
      listen: (endpoint, options) => {
        listened++;
        return transport.listen(endpoint, options);
      },
    };
    await inMemory(echoOn(ONE, TWO), async (set) => {
      const two = parseEndpoint(TWO);
      const waiting = await set.connect("ec", parseEndpoint(ONE));
      const leaving = await set.connect("echo\r\n", two);
      await set.server.reload(echoOn(ONE, THREE));
      assertEquals(listened, 3);
      assertEquals(addresses(set.server), [ONE, THREE]);
      await assertRejects(() => set.connect("", two), TcpmuxError);
      // What came by a listener that is closed now goes on.
      await waiting.write(bytes("ho\r\n"));
      for (const conn of [waiting, leaving]) {
        assertEquals(await readLine(conn), "+Go\r\n");
        await echoes(conn);
        conn.close();
      }
    }, { transport: counting });
  });

  test("keeps a free port that the system has chosen", () =>
    inMemory(echoOn("127.0.0.1:0"), async (set) => {
      const before = addresses(set.server);
      await set.server.reload(echoOn("127.0.0.1:0"));
      assertEquals(addresses(set.server), before);
    }));

  test("of a wrong table leaves the old one in force", () =>
    inMemory(echoOn(ONE), async (set) => {
      const wrong: (TableInput | string)[] = [
        { services: { a: {} as never } },
        { services: { a: { exec: ["/bin/true"] } } }, // no programs in memory
        { server: { listen: [] } },
        "= wrong",
      ];
      for (const table of wrong) {
        await assertRejects(() => set.server.reload(table), TableError);
      }
      assertEquals(addresses(set.server), [ONE]);
      assertEquals(await set.ask("echo\r\nx"), "+Go\r\nx");
    }));

  test("with an address that is taken leaves all as it was", () =>
    inMemory(echoOn(ONE), async (set) => {
      const taken = await set.transport.listen(parseEndpoint(THREE));
      const error = await assertRejects(() =>
        set.server.reload({
          server: { listen: [TWO, THREE] },
          services: { about: { text: "new" } },
        }), TcpmuxError);
      assertEquals(error.code, "address_in_use");
      assertEquals(addresses(set.server), [ONE]);
      const two = parseEndpoint(TWO);
      await assertRejects(() => set.connect("", two), TcpmuxError);
      assertEquals(await set.ask("echo\r\nx"), "+Go\r\nx");
      taken.close();
    }));

  test("that is refused lets go of a client that has come already", async () => {
    const transport = memoryTransport();
    let client: Conn | undefined;
    const failing: Transport = {
      ...transport,
      async listen(endpoint, options) {
        if (formatEndpoint(endpoint) === THREE) {
          client = await transport.connect(parseEndpoint(TWO)).conn;
          throw new TcpmuxError("address_in_use", "it is taken");
        }
        return await transport.listen(endpoint, options);
      },
    };
    await inMemory(echoOn(ONE), async (set) => {
      const reloading = set.server.reload(echoOn(TWO, THREE));
      await assertRejects(() => reloading, TcpmuxError, "it is taken");
      await assertRejects(() => client!.read(), TcpmuxError);
    }, { transport: failing });
  });

  test("that is refused for one of a name's addresses leaves none open", async () => {
    const transport: Transport = {
      ...memoryTransport(),
      lookup: (host) =>
        Promise.resolve(
          host === "two.example" ? ["127.0.0.1", "127.0.0.2"] : [host],
        ),
    };
    await inMemory(echoOn(ONE), async (set) => {
      const { services } = echoOn();
      const listen = [TWO, "proxy://two.example:2"];
      const server = { listen, trusted_proxies: ["127.0.0.1"] };
      const reloading = set.server.reload({ server, services });
      await assertRejects(() => reloading, TcpmuxError, "two listeners");
      for (const address of [TWO, "127.0.0.2:2"]) {
        (await set.transport.listen(parseEndpoint(address))).close();
      }
    }, { transport });
  });

  test("waits for another one that is under way", () =>
    inMemory(echoOn(ONE), async (set) => {
      await Promise.all([
        set.server.reload(echoOn(ONE, TWO)),
        set.server.reload({
          server: { listen: [ONE, TWO] },
          services: { a: { text: "last" } },
        }),
      ]);
      assertEquals(addresses(set.server), [ONE, TWO]);
      assertEquals(await set.ask("a\r\n"), "+Go\r\nlast");
    }));

  test("ends when the server is closed, and opens nothing after", () =>
    inMemory(echoOn(ONE), async (set) => {
      const reloading = set.server.reload(echoOn(TWO));
      const closing = set.server.close();
      await assertRejects(() => reloading, TcpmuxError, "closed");
      await closing;
      await assertRejects(
        () => set.server.reload(echoOn(ONE)),
        TcpmuxError,
        "closed",
      );
      for (const address of [ONE, TWO]) {
        const endpoint = parseEndpoint(address);
        await assertRejects(() => set.connect("", endpoint), TcpmuxError);
      }
    }));
});
