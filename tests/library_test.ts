/** serve() as a program uses it. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ConnectionRecord,
  formatEndpoint,
  parseEndpoint,
  serve,
  TableError,
  TcpmuxError,
} from "../mod.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { bytes, readAll, readSome } from "./support/bytes.ts";
import { inMemory } from "./support/in_memory.ts";
import { until } from "./support/wait.ts";

const real = await pickTransport();

describe("serve", () => {
  test("connects a service to the first upstream that answers", async () => {
    const transport = memoryTransport();
    const upstream = await transport.listen(parseEndpoint("127.0.0.1:7"));
    await inMemory({
      services: {
        up: { connect: ["127.0.0.1:6", "127.0.0.1:7"] },
        down: { connect: "127.0.0.1:6" },
      },
    }, async (set) => {
      const conn = await set.connect("up\r\nquestion");
      const inside = (await upstream.accept())!;
      assertEquals(await readSome(inside, 8), "question");
      await inside.write(bytes("answer"));
      inside.close();
      assertEquals(await readAll(conn), "+Go\r\nanswer");
      conn.close();
      assertEquals(
        await set.ask("down\r\n"),
        "-Service temporarily unavailable\r\n",
      );
      const { outcome, reason } = await set.record("down");
      assertEquals(outcome, "failed");
      assert(reason.includes("127.0.0.1:6: connection refused"), reason);
    }, { transport });
  });

  test("chains two servers of one program", async () => {
    const transport = memoryTransport();
    const back = await serve({
      server: { listen: "127.0.0.1:2" },
      services: { greet: { text: "hi", message: "from behind" } },
    }, { transport });
    await inMemory({
      services: {
        far: { tcpmux: "127.0.0.1:2/greet" },
        none: { tcpmux: "127.0.0.1:2/nosuch" },
      },
    }, async (set) => {
      assertEquals(await set.ask("far\r\n"), "+from behind\r\nhi");
      assertEquals(await set.ask("none\r\n"), "-Service not available\r\n");
    }, { transport });
    await back.close();
  });

  test("listens on free ports of the runtime's own transport", () =>
    inMemory({
      server: { listen: ["127.0.0.1:0", "[::1]:0"] },
      services: { about: { text: "fine" } },
    }, async (set) => {
      const ports = set.server.addresses.map((address) => {
        assert(address.transport === "tcp" && address.port > 0);
        return address.port;
      });
      assertEquals(new Set(ports).size, 2);
      assertEquals(await set.ask("about\r\n"), "+Go\r\nfine");
    }, { transport: real }));

  test("takes TOML as well, and throws its problems", async () => {
    const toml = `server.listen = "127.0.0.1:5"
      services.about.text = "fine"`;
    await inMemory(toml, async (set) => {
      assertEquals(set.server.addresses.map(formatEndpoint), ["127.0.0.1:5"]);
      assertEquals(await set.ask("about\r\n"), "+Go\r\nfine");
    });
    const error = await assertRejects(
      () => serve("\n[services.a]\nbuiltin = 1"),
      TableError,
    );
    assertEquals(error.problems.map(({ line }) => line), [3]);
  });

  test("says what the transport cannot offer", async () => {
    const error = await assertRejects(
      () =>
        serve({ services: { a: { exec: ["/bin/true"] } } }, {
          transport: memoryTransport(),
        }),
      TableError,
    );
    assertEquals(error.problems.map(({ key }) => key), ["services.a.exec"]);
  });

  test("says which address it cannot have, and leaves none open", async () => {
    const transport = memoryTransport();
    const taken = await transport.listen(parseEndpoint("127.0.0.1:2"));
    const listen = ["127.0.0.1:1", "127.0.0.1:2"];
    const error = await assertRejects(
      () => serve({ server: { listen } }, { transport }),
      TcpmuxError,
      "127.0.0.1:2",
    );
    assertEquals(
      [error.code, error.address],
      ["address_in_use", "127.0.0.1:2"],
    );
    taken.close();
    const server = await serve({ server: { listen } }, { transport });
    assertEquals(server.addresses.map(formatEndpoint), listen);
    await server.close();
  });

  test("gives each connection one record and one line of the log", () =>
    inMemory({
      server: { handshake_timeout: "50ms" },
      services: { about: { text: "fine" }, off: { text: "", enabled: false } },
    }, async (set) => {
      const requests: [string, string][] = [
        ["about\r\n", "served"],
        ["help\r\n", "help"],
        ["nosuch\r\n", "unknown"],
        ["off\r\n", "denied"],
        ["a\tb\r\n", "malformed"],
        ["abou", "malformed"],
        ["", "aborted"],
      ];
      for (const [request] of requests) await set.ask(request);
      const slow = await set.connect("abo");
      assert((await readAll(slow)).startsWith("-Timed out"));
      slow.close();
      const outcomes = [...requests.map(([, outcome]) => outcome), "timeout"];
      await until(
        "all are recorded",
        () => set.records.length >= outcomes.length,
      );
      await set.server.close(0);
      assertEquals<string[]>(
        set.records.map(({ outcome }) => outcome),
        outcomes,
      );
      const [local] = new Set(set.records.map(({ local }) => local));
      for (const [index, record] of set.records.entries()) {
        assertEquals([record.conn, record.local], [index + 1, local!]);
        assert(/^127\.0\.0\.1:\d+$/.test(record.remote), record.remote);
        assert(record.durationMs >= 0);
      }
      const lines = set.log.filter(({ message }) => message === "connection");
      assertEquals(lines.length, outcomes.length);
    }));

  test("goes on where onRecord throws, and says so", async () => {
    const records: ConnectionRecord[] = [];
    const onRecord = (record: ConnectionRecord) => {
      records.push(record);
      throw new Error("no room for records");
    };
    const upstream = await real.listen(parseEndpoint("127.0.0.1:0"));
    const accepting = upstream.accept();
    await inMemory({
      services: {
        about: { text: "fine" },
        up: { connect: formatEndpoint(upstream.endpoint) },
      },
    }, async (set) => {
      assertEquals(await set.ask("about\r\n"), "+Go\r\nfine");
      const asking = set.ask("up\r\n");
      const behind = await accepting;
      assertEquals(await readAll(behind!), "");
      await behind!.write(bytes("up here"));
      behind!.close();
      assertEquals(await asking, "+Go\r\nup here");
      await until("both are recorded", () => records.length === 2);
      await set.server.close();
      const said = set.log.map(({ message }) => message);
      assertEquals(said.filter((one) => one === "onRecord threw").length, 2);
      assertEquals(said.filter((one) => one === "connection").length, 2);
    }, { transport: real, onRecord });
    upstream.close();
  });

  for (const how of ["throws", "rejects"] as const) {
    test(`goes on where a log throws and onRecord ${how}`, async () => {
      const messages: string[] = [];
      const failing = how === "throws"
        ? () => {
          throw new Error("no room");
        }
        : () => Promise.reject(new Error("no room"));
      const transport = memoryTransport();
      const server = await serve({
        server: { listen: "127.0.0.1:1" },
        services: { echo: { builtin: "echo" } },
      }, {
        transport,
        onRecord: failing,
        log(_level, message) {
          messages.push(message);
          throw new Error("no room in the log either");
        },
      });
      const conns = await Promise.all([1, 2, 3].map(async () => {
        const conn = await transport.connect(parseEndpoint("127.0.0.1:1"))
          .conn;
        await conn.write(bytes("echo\r\n"));
        assertEquals(await readSome(conn, 5), "+Go\r\n");
        return conn;
      }));
      await server.close(0);
      for (const conn of conns) conn.close();
      const count = (one: string) =>
        messages.filter((message) => message === one).length;
      await until("all failures are told", () => count("onRecord threw") === 3);
      assertEquals(count("connection"), 3);
    });
  }

  test("refuses what is beyond max_connections as busy", () =>
    inMemory({
      server: { max_connections: 1 },
      services: { echo: { builtin: "echo" } },
    }, async (set) => {
      const first = await set.connect("echo\r\n");
      assertEquals(await readSome(first, 5), "+Go\r\n");
      const second = await set.connect("echo\r\n");
      assertEquals(
        await readAll(second),
        "-Server busy, try again later\r\n",
      );
      second.close();
      await until("there is a record", () => set.records.length > 0);
      assertEquals(set.records[0]!.outcome, "busy");
      await first.closeWrite();
      assertEquals(await readAll(first), "");
      first.close();
      await set.record("echo");
      assertEquals(await set.ask("echo\r\nx"), "+Go\r\nx");
    }));

  test("ends a session that is idle for too long", () =>
    inMemory({
      services: { echo: { builtin: "echo", idle_timeout: "50ms" } },
    }, async (set) => {
      const conn = await set.connect("echo\r\n");
      assertEquals(await readSome(conn, 5), "+Go\r\n");
      await assertRejects(() => conn.read(), TcpmuxError, "reset");
      assertEquals((await set.record("echo")).outcome, "timeout");
    }));
});
