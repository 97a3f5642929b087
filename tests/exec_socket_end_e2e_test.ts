/** How programs on the socket end, and what they leave behind. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, digestAll, writePattern } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { answer, shell } from "./support/exec.ts";
import { childrenOf, isAlive } from "./support/processes.ts";
import { rejectsWith } from "./support/rejects.ts";
import { rudeClient } from "./support/rude.ts";
import { programHandsOver, withServer } from "./support/server.ts";
import { descriptors, descriptorsBackTo, until } from "./support/wait.ts";

const SOCKET = `stdio = "socket"`;

describe("a program on the socket", { skip: !programHandsOver() }, () => {
  test("that is missing is refused as any other is", () =>
    withServer(
      `[services.none]\nexec = ["/no/such/program"]\n${SOCKET}\n`,
      async ({ port }) => {
        assertEquals(
          await exchange(port, "none\r\n"),
          "-Service temporarily unavailable\r\n",
        );
      },
    ));

  test("that does not start behind the reply leaves a broken connection", () =>
    withServer(
      `[services.broken]\nexec = ["{folder}/broken"]\n${SOCKET}\n`,
      async (server, folder) => {
        writeFileSync(join(folder, "broken"), "#!/no/such/shell\n", {
          mode: 0o755,
        });
        const before = descriptors(server.pid);
        const client = await rudeClient(server.port, "broken\r\n", {
          lines: 2,
        });
        assertEquals(client.got, "+Go\r\n");
        await client.reset();
        const record = await server.record("broken");
        assertEquals(record.outcome, "failed");
        assertMatch(String(record.reason), /cannot start .*broken/);
        await descriptorsBackTo(before, server.pid);
      },
    ));

  test("is ended, with all of its group, when the server stops", async () => {
    let pids: number[] = [];
    await withServer(
      shell("deaf", `trap "" TERM; sleep 1000 & echo $$ $!; wait`, SOCKET),
      async (server) => {
        const asked = await ask(server.port, "deaf");
        pids = `${await asked.read()}`.trim().split(" ").map(Number);
        server.signal("SIGTERM");
        await server.logged("stopping");
        assert(pids.every(isAlive));
        server.signal("SIGTERM");
        const record = await server.record("deaf");
        assertEquals(
          [record.outcome, record.reason],
          ["aborted", "the server has stopped"],
        );
        assertEquals((await server.exited).code, 0);
        // As a client of any other kind of service.
        await rejectsWith("connection_reset", () => asked.readAll());
        asked.conn.close();
      },
    );
    assert(pids.length === 2 && !pids.some(isAlive));
  });

  test("may end while the server drains", () =>
    withServer(shell("cat", "cat", SOCKET), async (server) => {
      const asked = await ask(server.port, "cat");
      server.signal("SIGTERM");
      await server.logged("stopping");
      await asked.conn.write(bytes("still here"));
      await asked.conn.closeWrite();
      assertEquals(await asked.readAll(), "still here");
      asked.conn.close();
      assertEquals((await server.record("cat")).outcome, "served");
      assertEquals((await server.exited).code, 0);
    }));

  test("is heard to its end though it did not read what was sent", () =>
    withServer(
      shell("deaf", "sleep 0.05; echo answer", SOCKET),
      async (server) => {
        for (let round = 0; round < 20; round++) {
          const asked = await ask(server.port, "deaf");
          await asked.conn.write(bytes("GET / HTTP/1.0\r\n\r\n"));
          assertEquals(await asked.readAll(), "answer\n");
          assertEquals(asked.conn.end, null);
          asked.conn.close();
        }
      },
    ));

  test("takes with it whom it left behind", () =>
    withServer(
      shell("left", "sleep 1000 & echo $!", SOCKET),
      async (server) => {
        const asked = await ask(server.port, "left");
        const pid = Number(await asked.readAll());
        asked.conn.close();
        assertEquals((await server.record("left")).outcome, "served");
        await until("it is gone", () => !isAlive(pid));
      },
    ));

  test("costs the server nothing while it runs", () =>
    withServer(shell("cat", "cat", SOCKET), async (server) => {
      const before = descriptors(server.pid);
      const asked = await ask(server.port, "cat");
      await asked.conn.write(bytes("x"));
      await asked.read();
      // The socket, its standard error, and its life on some runtimes.
      await until("no more is held than that", () => {
        const links = descriptors(server.pid);
        return links <= before + 3;
      });
      const ticks = () => {
        const stat = readFileSync(`/proc/${server.pid}/stat`, "latin1");
        const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ")
          .slice(12, 14);
        return Number(user) + Number(system);
      };
      const began = ticks();
      const total = 64 * 1024 * 1024;
      const sending = writePattern(asked.conn, total).then(() =>
        asked.conn.closeWrite()
      );
      assertEquals((await digestAll(asked.conn)).count, total);
      await sending;
      assert(ticks() - began <= 10, `${ticks() - began} ticks`);
      asked.conn.close();
    }));

  test("50 of them leave no zombie and no descriptor", () =>
    withServer(
      shell("ok", "echo ok", SOCKET) + shell("three", "exit 3", SOCKET),
      async (server) => {
        const rounds = async (count: number) => {
          for (let i = 0; i < count; i++) {
            await Promise.all([
              answer(server.port, "ok"),
              answer(server.port, "three"),
            ]);
          }
        };
        await rounds(2); // what a runtime opens once is open then
        const { reason } = await server.record("three");
        assertEquals(reason, "the program exited with status 3");
        const before = descriptors(server.pid);
        await rounds(25);
        await descriptorsBackTo(before, server.pid);
        await until(
          "no child is left",
          () => childrenOf(server.pid).length === 0,
        );
      },
    ));
});
