import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { programUnderTest, withServer } from "./support/server.ts";
import {
  descriptors,
  descriptorsBackTo,
  sleep,
  until,
} from "./support/wait.ts";

const ECHO = `[services.echo]\nbuiltin = "echo"\n`;

describe("starting, reloading and stopping", () => {
  test("SIGTERM: a session ends in its own time, then the server does", () =>
    withServer(ECHO, async (server) => {
      const { conn } = await ask(server.port, "echo");
      const waiting = await connectTo(server.port);
      await until("both are accepted", async () => {
        server.signal("SIGUSR2");
        await sleep(20);
        return server.log.some(({ sessions }) => sessions === 2);
      });
      server.signal("SIGTERM");
      // Who has not named a service yet is told so, not left alone.
      assertMatch(await readAll(waiting), /^-Server is shutting down\r\n$/);
      waiting.close();
      await conn.write(bytes("still here"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "still here");
      conn.close();
      assertEquals((await server.exited).code, 0);
      await server.logged("stopped");
      assertEquals((await server.record("echo")).outcome, "served");
    }));

  test("drain_timeout ends who does not end; a second signal ends all", async () => {
    const table = `[server]\ndrain_timeout = "100ms"\n${ECHO}`;
    await withServer(table, async (server) => {
      const { conn } = await ask(server.port, "echo");
      server.signal("SIGINT");
      await conn.read().catch(() => null);
      conn.close();
      assertEquals((await server.exited).code, 0);
      assertEquals((await server.record("echo")).outcome, "aborted");
    });
    await withServer(ECHO, async (server) => {
      const { conn } = await ask(server.port, "echo");
      server.signal("SIGTERM");
      await server.logged("stopping");
      server.signal("SIGTERM");
      await conn.read().catch(() => null);
      conn.close();
      assertEquals((await server.exited).code, 0);
    });
  });

  test("a session that is stuck on both sides is ended as well", () => {
    const table = `[server]\ndrain_timeout = "100ms"\n` +
      `[services.stuck]\nexec = ["sleep", "61"]\n`;
    return withServer(table, async (server) => {
      const { conn } = await ask(server.port, "stuck");
      const writing = conn.write(new Uint8Array(32 * 1024 * 1024))
        .catch(() => {});
      await sleep(100); // neither side moves any more
      server.signal("SIGTERM");
      assertEquals((await server.exited).code, 0);
      await writing;
      conn.close();
      assertEquals((await server.record("stuck")).outcome, "aborted");
    });
  });

  test("the log names the process that takes signals", () =>
    withServer(ECHO, async (server) => {
      assertEquals((await server.logged("serving")).pid, server.pid);
    }));

  test("SIGHUP reads the table again; sessions keep what they have", () =>
    withServer(ECHO, async (server, folder) => {
      const { conn } = await ask(server.port, "echo");
      const table = join(folder, "services.toml");
      writeFileSync(table, `[services.new]\ntext = "new"\n`);
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(await exchange(server.port, "HELP\r\n"), "new\r\n");
      await conn.write(bytes("old"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "old");
      conn.close();

      writeFileSync(table, "");
      server.signal("SIGHUP");
      await server.logged(
        "not reloaded, the old table stays in force",
        ({ reason }) =>
          /services: (is empty|there are none)/.test(String(reason)),
      );

      writeFileSync(table, `[services.new]\nfrob = 1\n`);
      server.signal("SIGHUP");
      const line = await server.logged(
        "not reloaded, the old table stays in force",
        ({ reason }) => /frob|new/.test(String(reason)),
      );
      assertMatch(String(line.reason), /services\.toml:1: services\.new: /);
      assertEquals(await exchange(server.port, "new\r\n"), "+Go\r\nnew");
    }));

  test("SIGUSR2 logs the state, SIGUSR1 does no harm", () =>
    withServer(ECHO, async (server) => {
      const { conn } = await ask(server.port, "echo");
      server.signal("SIGUSR1");
      server.signal("SIGUSR2");
      const state = await server.logged("state");
      assertEquals([state.sessions, state.services], [1, 1]);
      conn.close();
    }));

  test("SIGUSR1 leaves no debugger open", () =>
    withServer(ECHO, async (server) => {
      const opened = () => server.other.join().includes("Debugger listening");
      const isDeno = /\bdeno$/.test(programUnderTest()[0]!);
      const count = descriptors(server.pid);
      server.signal("SIGUSR1");
      // Deno does not open it in its first half second.
      if (isDeno) {
        await until("Deno has opened it", () => {
          server.signal("SIGUSR1");
          return opened();
        });
      }
      await descriptorsBackTo(count, server.pid);
      assertEquals(await exchange(server.port, "echo\r\nhi"), "+Go\r\nhi");
      assertEquals(opened(), isDeno);
    }));

  test("one server listens on IPv4, IPv6 and a Unix socket at once", () =>
    withServer(ECHO, async (server) => {
      const listening = server.log
        .filter(({ message }) => message === "listening")
        .map(({ address }) => String(address));
      assertEquals(listening.length, 3);
      assert(listening[2]!.startsWith("unix:@"));
      assertEquals(await exchange(server.port, "echo\r\nhi"), "+Go\r\nhi");
    }, {
      args: [
        "--listen=127.0.0.1:0",
        "--listen=[::1]:0",
        `--listen=unix:@tcpmux-test-${process.pid}-${Math.random()}`,
      ],
    }));

  test("the log as text has one readable line a connection", () =>
    withServer(ECHO, async (server) => {
      await exchange(server.port, "no\x1b[31mpe\r\n");
      await exchange(server.port, "nope\r\n");
      const lines = await until("both are logged", () => {
        const text = server.other.join("\n");
        return text.includes("conn=2") ? text : undefined;
      });
      assertMatch(lines, / info {2}connection conn=1 .*outcome=malformed /);
      assertMatch(lines, /reason="no service is called \\"nope\\""/);
      assert(!lines.includes("\x1b"));
    }, { args: ["--listen=127.0.0.1:0"], format: "text" }));
});
