import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { digestAll, pattern } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { shell } from "./support/exec.ts";
import { childrenOf, isAlive } from "./support/processes.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { rudeClient } from "./support/rude.ts";
import { slowClient } from "./support/slow.ts";
import { descriptors, descriptorsBackTo, until } from "./support/wait.ts";

/** No process of ours is left: not that one, and no zombie. */
async function allGone(server: RunningServer, ...pids: number[]) {
  await until(
    `processes ${pids} are gone`,
    () => !pids.some(isAlive) && childrenOf(server.pid).length === 0,
  );
}

/** The number on the last line of what a service said. */
function pidOf(text: string): number {
  const pid = Number(text.trim().split("\n").at(-1));
  assert(isAlive(pid));
  return pid;
}

describe("programs that cannot be started", () => {
  const table = `
[services.missing]
exec = ["no-such-program-here"]
[services.path]
exec = ["/no/such/program"]
[services.folder]
exec = ["/tmp"]
[services.data]
exec = ["/etc/passwd"]
[services.cwd]
exec = ["true"]
cwd = "/no/such/folder"
`;
  const cases: [string, RegExp][] = [
    ["missing", /cannot start no-such-program-here: no such program in \/usr/],
    ["path", /cannot start \/no\/such\/program: no such program/],
    ["folder", /cannot start \/tmp: it is not a regular file/],
    ["data", /cannot start \/etc\/passwd: no permission to execute it/],
    ["cwd", /cannot start in \/no\/such\/folder: no such directory/],
  ];
  test("are refused, and the log alone says why", () =>
    withServer(table, async (server) => {
      for (const [service, why] of cases) {
        assertEquals(
          await exchange(server.port, `${service}\r\nbytes`),
          "-Service temporarily unavailable\r\n",
        );
        const record = await server.record(service);
        assertEquals(record.outcome, "failed");
        assertMatch(String(record.reason), why);
      }
      assertEquals(childrenOf(server.pid), []);
    }));
});

describe("how a program ends", () => {
  test("its status or signal stands in the record", () =>
    withServer(
      shell("three", "exit 3") + shell("killed", "kill -9 $$") +
        shell("zero", "exec >&-; cat; exit 0"),
      async (server) => {
        const cases: [string, unknown][] = [
          ["three", "the program exited with status 3"],
          ["killed", "the program was killed by SIGKILL"],
          ["zero", undefined],
        ];
        for (const [service, reason] of cases) {
          assertEquals(
            await exchange(server.port, `${service}\r\n`),
            "+Go\r\n",
          );
          const record = await server.record(service);
          assertEquals([record.outcome, record.reason], ["served", reason]);
        }
        await allGone(server);
      },
    ));

  test("one that ignores SIGTERM is killed when the client resets", () =>
    withServer(
      shell("deaf", `trap "" TERM; echo $$; while :; do sleep 1; done`),
      async (server) => {
        const client = await rudeClient(server.port, "deaf\r\n", { lines: 2 });
        const pid = pidOf(client.got);
        await client.reset();
        assertEquals((await server.record("deaf")).outcome, "aborted");
        await allGone(server, pid);
      },
    ));

  test("it is ended with the server that is told to stop at once", async () => {
    let pid = 0;
    await withServer(
      shell("deaf", `trap "" TERM; echo $$; while :; do sleep 1; done`),
      async (server) => {
        const asked = await ask(server.port, "deaf");
        pid = pidOf(`${await asked.read()}`);
        server.signal("SIGTERM");
        await server.logged("stopping");
        assert(isAlive(pid));
        server.signal("SIGTERM");
        const record = await server.record("deaf");
        assertEquals(
          [record.outcome, record.reason],
          ["aborted", "the server has stopped"],
        );
        assertEquals((await server.exited).code, 0);
        asked.conn.close();
      },
    );
    assert(!isAlive(pid));
  });

  test("one that ignores the end of its input is ended, if the table says so", () => {
    const deaf = "sleep 1000 & echo $!; wait";
    return withServer(
      shell("deaf", deaf, `on_client_end = "terminate"`) +
        shell("eof", deaf) +
        shell("busy", "cat; echo bye", `on_client_end = "terminate"`),
      async (server) => {
        const [ended, kept] = [
          await ask(server.port, "deaf"),
          await ask(server.port, "eof"),
        ];
        const pid = pidOf(`${await ended.read()}`);
        const other = pidOf(`${await kept.read()}`);
        for (const { conn } of [ended, kept]) await conn.closeWrite();
        const { outcome, reason } = await server.record("deaf");
        assertEquals(
          [outcome, reason],
          ["served", "the program was killed by SIGTERM"],
        );
        await until("it is gone", () => !isAlive(pid));
        assert(isAlive(other));
        process.kill(other, "SIGTERM"); // so that the server can stop
        for (const { conn } of [ended, kept]) conn.abort();
        // One that heeds the end has its time.
        assertEquals(await exchange(server.port, "busy\r\nx"), "+Go\r\nxbye\n");
        assertEquals((await server.record("busy")).reason, undefined);
      },
    );
  });

  test("one that ignores the end of its input dies with the server", () => {
    const deaf = "echo $$; exec sleep 1000";
    const terminate = `on_client_end = "terminate"`;
    const isRoot = process.getuid?.() === 0;
    const services = ["deaf", ...(isRoot ? ["nobody"] : [])];
    return withServer(
      shell("deaf", deaf, terminate) +
        (isRoot ? shell("nobody", deaf, `${terminate}\nuser = "nobody"`) : ""),
      async (server) => {
        const asked = await Promise.all(
          services.map((name) => ask(server.port, name)),
        );
        const pids = await Promise.all(
          asked.map(async (one) => pidOf(`${await one.read()}`)),
        );
        server.signal("SIGKILL");
        await until("they are gone", () => !pids.some(isAlive));
        for (const { conn } of asked) conn.abort();
      },
    );
  });

  test("without a grace time all that ends at once", () =>
    withServer(
      `
[services.deaf]
exec = ["sleep", "1000"]
on_client_end = "terminate"
kill_grace = 0
[services.left]
exec = ["sh", "-c", "sleep 1000 & echo $!"]
kill_grace = 0
`,
      async (server) => {
        for (const service of ["deaf", "left"]) {
          await exchange(server.port, `${service}\r\n`);
          assertEquals((await server.record(service)).outcome, "served");
        }
        await allGone(server);
      },
    ));

  test("who was left behind in its group is ended after kill_grace", () =>
    withServer(
      shell("left", "sleep 1000 & echo $!") +
        shell("deaf", `trap "" TERM; sleep 1000 & echo $!`),
      async (server) => {
        for (const service of ["left", "deaf"]) {
          const asked = await ask(server.port, service);
          const pid = pidOf(`${await asked.read()}`);
          assertEquals(await asked.readAll(), "");
          asked.conn.close();
          assertEquals((await server.record(service)).outcome, "served");
          await allGone(server, pid);
        }
      },
    ));

  /** Says its number once it has left: a slow one would end with its group. */
  const leaving = (redirections: string) =>
    `setsid sleep 1000 ${redirections} & ` +
    'until [ "$(ps -o sid= -p $! | tr -d " ")" = $! ]; do sleep 0.02; done; ' +
    "echo $!";
  const away = {
    "left its group": leaving(""),
    "became a daemon": leaving("<&- >&- 2>&-"),
  };
  for (const [how, command] of Object.entries(away)) {
    test(`who ${how} stays, which is said, but holds nothing of the server`, () =>
      withServer(
        shell("away", command) + shell("true", "true"),
        async (server) => {
          await exchange(server.port, "true\r\n");
          await server.record("true");
          const before = descriptors(server.pid);
          const asked = await ask(server.port, "away");
          const pid = pidOf(`${await asked.read()}`);
          try {
            assertEquals(await asked.readAll(), "");
            asked.conn.close();
            assertEquals((await server.record("away")).outcome, "served");
            const { level, service, pid: left, name } = await server.logged(
              "a program has left a running process behind",
            );
            assertEquals([level, service], ["warn", "away"]);
            assertEquals([left, name], [pid, "sleep"]);
            await descriptorsBackTo(before, server.pid);
            assert(isAlive(pid));
          } finally {
            process.kill(pid, "SIGKILL");
          }
        },
      ));
  }

  test("the output of who was left behind still arrives within the grace", () =>
    withServer(
      shell("late", "(sleep 0.2; echo late) & echo early", `kill_grace = "20s"`)
        .replace(`kill_grace = "300ms"\n`, ""),
      async ({ port }) => {
        assertEquals(await exchange(port, "late\r\n"), "+Go\r\nearly\nlate\n");
      },
    ));

  test("a slow client gets all, whoever holds the output and long after", () =>
    withServer(
      shell("slow", "sleep 1000 & echo $$; exec head -c 20000000 /dev/zero"),
      async (server) => {
        // Far beyond the grace.
        assertEquals(await slowClient(server.port, "slow", 1.2), 20_000_000);
        await allGone(server);
      },
    ));

  // A client that is held back is not read, so its reset is not seen either.
  test("one that never reads holds its client back, until idle_timeout", () =>
    withServer(
      shell("stuck", "echo $$; exec sleep 1000", `idle_timeout = "1s"`),
      async (server) => {
        const all = 100_000_000;
        const client = await rudeClient(server.port, "stuck\r\n", {
          lines: 2,
          more: all,
        });
        const pid = Number(client.got.split("\n")[1]);
        const record = await server.record("stuck");
        assertEquals(
          [record.outcome, record.reason],
          ["timeout", "idle_timeout expired"],
        );
        assert(Number(record.bytes_in) < all / 10);
        await allGone(server, pid);
        await client.reset();
      },
    ));

  test("one that ends without reading still answers", () =>
    withServer(shell("deaf", "sleep 0.1; echo done"), async (server) => {
      const conn = await connectTo(server.port);
      await conn.write(new TextEncoder().encode("deaf\r\n"));
      const sending = conn.write(pattern(8_000_000)).catch(() => {});
      const { count } = await digestAll(conn);
      assertEquals(count, "+Go\r\ndone\n".length);
      conn.close();
      await sending;
      await server.record("deaf");
    }));
});
