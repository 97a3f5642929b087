import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { bytes, digestAll, writePattern } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { withServer } from "./support/server.ts";

const TABLE = `
[services.echo]
builtin = "echo"
[services.discard]
builtin = "discard"
[services.chargen]
builtin = "chargen"
[services.daytime]
builtin = "daytime"
[services.time]
builtin = "time"
[services.qotd]
builtin = "qotd"
quotes = ["One."]
[services.about]
text = "fixed\\n"
`;

describe("the services of the server's own", () => {
  test("echo gives back 1 GiB, both ways at once", () =>
    withServer(TABLE, async (server) => {
      const { conn, reply } = await ask(server.port, "ECHO");
      assertEquals(reply, "+Go");
      const total = 1024 ** 3;
      const sending = writePattern(conn, total).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      const got = await digestAll(conn);
      assertEquals(got, { count: total, digest: await sending });
      conn.close();
      const record = await server.record("echo");
      assertEquals(
        [record.outcome, record.bytes_in, record.bytes_out],
        ["served", total, total],
      );
    }));

  test("discard says nothing, and ends when the client does", () =>
    withServer(TABLE, async ({ port }) => {
      assertEquals(await exchange(port, "discard\r\nanything"), "+Go\r\n");
    }));

  test("chargen sends the lines of RFC 864 until the client closes", () =>
    withServer(TABLE, async (server) => {
      const asked = await ask(server.port, "chargen");
      let all = "";
      while (all.length < 74 * 200) all += await asked.read();
      asked.conn.close();
      const lines = all.split("\r\n");
      assertEquals(lines[0]!.length, 72);
      assertEquals(lines[1], lines[0]!.slice(1) + "h");
      assertEquals(lines[95], lines[0]);
      assertEquals((await server.record("chargen")).outcome, "served");
    }));

  test("daytime, time, qotd and a text answer once and close", () =>
    withServer(TABLE, async ({ port }) => {
      assertMatch(
        await exchange(port, "daytime\r\n"),
        /^\+Go\r\n[A-Z][a-z]+day, [A-Z][a-z]+ \d+, \d{4} \d\d:\d\d:\d\d-UTC\r\n$/,
      );
      const time = await exchange(port, "time\r\n");
      assertEquals(time.length, "+Go\r\n".length + 4);
      const seconds = Buffer.from(time.slice(5), "latin1").readUInt32BE();
      const since1970 = seconds - 2_208_988_800;
      assertEquals(Math.abs(since1970 - Date.now() / 1000) < 5, true);
      assertEquals(await exchange(port, "qotd\r\n"), "+Go\r\nOne.\r\n");
      assertEquals(await exchange(port, "about\r\n"), "+Go\r\nfixed\n");
    }));

  test("a client that sends on while it is answered still gets it all", () =>
    withServer(TABLE, async ({ port }) => {
      const conn = await connectTo(port);
      await conn.write(bytes("about\r\n"));
      await conn.write(new Uint8Array(100_000));
      const got = await digestAll(conn);
      assertEquals(got.count, "+Go\r\nfixed\n".length);
      conn.close();
    }));
});
