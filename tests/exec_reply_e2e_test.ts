import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { ask, exchange } from "./support/client.ts";
import { shell } from "./support/exec.ts";
import { withServer } from "./support/server.ts";

describe("a program's standard error", () => {
  const script = "echo one >&2; echo out; echo two >&2; printf three >&2";
  const table = shell("logged", script) +
    shell("nulled", script, `stderr = "null"`) +
    shell("told", "echo out; echo err >&2; exit 1", `stderr = "client"`) +
    shell("large", "yes 12345678 | head -c 5000000 >&2", `stderr = "client"`) +
    shell("noisy", "yes 12345678 | head -c 300000 >&2; echo done") +
    shell(
      "long",
      "head -c 300000 /dev/zero | tr '\\0' x >&2; printf 'x\\n\\033[31m' >&2",
    ) +
    shell("kept", "sleep 1000 >&- & echo last >&2");

  test("goes into the log line by line, and not to the client", () =>
    withServer(table, async (server) => {
      assertEquals(await exchange(server.port, "logged\r\n"), "+Go\r\nout\n");
      const { conn } = await server.record("logged");
      const lines = server.log.filter(({ message }) => message === "stderr");
      assertEquals(lines.map(({ text }) => text), ["one", "two", "three"]);
      for (const line of lines) {
        assertEquals([line.service, line.conn], ["logged", conn]);
        assertMatch(String(line.pid), /^\d+$/);
      }
    }));

  test("goes nowhere with null", () =>
    withServer(table, async (server) => {
      assertEquals(await exchange(server.port, "nulled\r\n"), "+Go\r\nout\n");
      await server.record("nulled");
      assertEquals(
        server.log.some(({ message }) => message === "stderr"),
        false,
      );
    }));

  test("reaches the client with client, whole and before the end", () =>
    withServer(table, async (server) => {
      const answer = await exchange(server.port, "told\r\n");
      assertEquals(
        [answer.slice(0, 5), ...answer.slice(5).split("\n").sort()],
        ["+Go\r\n", "", "err", "out"],
      );
      const record = await server.record("told");
      assertEquals(record.reason, "the program exited with status 1");
      const large = await exchange(server.port, "large\r\n");
      assertEquals(large.length, 5_000_005);
      assertEquals((await server.record("large")).bytes_out, 5_000_000);
    }));

  test("does not hold a program back, however much it is", () =>
    withServer(table, async (server) => {
      assertEquals(await exchange(server.port, "noisy\r\n"), "+Go\r\ndone\n");
      await server.record("noisy");
      // What head(1) cut off is a line too, whether it is logged or dropped.
      const count = server.log.filter(({ text }) =>
        text === "12345678" || text === "123"
      ).length;
      const { lines } = await server.logged(
        "a program wrote too much to stderr, lines were dropped",
      );
      assertEquals(count + Number(lines), Math.ceil(300_000 / 9));
    }));

  test("is cut where a line is too long", () =>
    withServer(table, async (server) => {
      assertEquals(await exchange(server.port, "long\r\n"), "+Go\r\n");
      await server.record("long");
      const texts = server.log.filter(({ message }) => message === "stderr")
        .map(({ text }) => String(text));
      assertEquals(texts, ["x".repeat(2048), "\x1b[31m"]);
    }));

  test("may be kept by who was left behind, and the session still ends", () =>
    withServer(table, async (server) => {
      assertEquals(await exchange(server.port, "kept\r\n"), "+Go\r\n");
      assertEquals((await server.record("kept")).outcome, "served");
      await server.logged("stderr", ({ text }) => text === "last");
    }));
});

describe('reply = "service"', () => {
  const own = `reply = "service"`;
  const table = shell("yes", "printf '+hi\\r\\n'; exec cat", own) +
    shell("no", "printf -- '-not today\\r\\n'", own) +
    shell("silent", "exit 0", own) +
    shell("missing", "", own).replace(`"sh"`, `"/no/such/program"`) +
    shell("greets", "echo hello", `message = "Welcome, friend"`);

  test("lets the program say yes or no itself", () =>
    withServer(table, async (server) => {
      const { conn, reply } = await ask(server.port, "yes");
      assertEquals(reply, "+hi");
      conn.close();
      assertEquals(
        await exchange(server.port, "yes\r\nbehind"),
        "+hi\r\nbehind",
      );
      assertEquals(await exchange(server.port, "no\r\n"), "-not today\r\n");
      assertEquals(await exchange(server.port, "silent\r\n"), "");
      assertEquals((await server.record("no")).outcome, "served");
    }));

  test("still leaves it to the server to say that there is no program", () =>
    withServer(table, async ({ port }) => {
      assertEquals(
        await exchange(port, "missing\r\n"),
        "-Service temporarily unavailable\r\n",
      );
    }));

  test("without it, message is what the server says", () =>
    withServer(table, async ({ port }) => {
      assertEquals(
        await exchange(port, "greets\r\n"),
        "+Welcome, friend\r\nhello\n",
      );
    }));
});
