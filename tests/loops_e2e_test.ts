/** A server that points at itself must not eat itself. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseTable } from "../src/table/parse.ts";
import { checkRuntime } from "../src/table/table.ts";
import { TableError } from "../src/table/problem.ts";
import { memoryTransport } from "../src/transport/memory.ts";
import { ask, exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { withCommand } from "./support/running.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { descriptors, descriptorsBackTo } from "./support/wait.ts";

const BUSY = "-Server busy, try again later";

/** The services that are found to lead back to themselves. */
function looping(table: string): string[] {
  try {
    checkRuntime(parseTable(table, "f"), memoryTransport(), "f");
    return [];
  } catch (error) {
    assert(error instanceof TableError);
    return error.problems.map(({ key }) => key.split(".")[1]!);
  }
}

const service = (name: string, to: string) =>
  `[services.${name}]\ntcpmux = "${to}"\n`;

describe("a table that leads back to itself", () => {
  const cases: [string, string, string, string[]][] = [
    ["by its address", "127.0.0.1:7", service("a", "127.0.0.1:7/a"), ["a"]],
    ["by any address", "[::]:7", service("a", "127.0.0.1:7/A"), ["a"]],
    ["by a name", "127.0.0.1:7", service("a", "localhost:7/a"), ["a"]],
    ["by a mapped one", "127.0.0.1:7", service("a", "[::ffff:127.0.0.1]:7/a"), [
      "a",
    ]],
    ["by a long one", "[::1]:7", service("a", "[0:0:0:0:0:0:0:1]:7/a"), ["a"]],
    ["by the unspecified", "127.0.0.1:7", service("a", "0.0.0.0:7/a"), ["a"]],
    ["by a path", "unix:/run/m", service("a", "unix:/run/../run/m/a"), ["a"]],
    [
      "by another service",
      "[::1]:7",
      service("a", "[::1]:7/b") + service("b", "[::1]:7/a") +
      service("c", "[::1]:7/a"),
      ["a", "b"],
    ],
    ["not by another name", "[::1]:7", service("a", "[::1]:7/b"), []],
    ["not by another port", "[::1]:7", service("a", "[::1]:8/a"), []],
    ["not by another host", "[::1]:7", service("a", "127.0.0.1:7/a"), []],
    ["not at any host", "[::]:7", service("a", "192.0.2.1:7/a"), []],
  ];
  test("not at port 1, where the table says no address", () => {
    // Whoever may not listen there gets port 1078.
    assertEquals(looping(service("a", "127.0.0.1:1/a")), []);
  });

  test("by what clients send first", () => {
    const table = (to: string) =>
      `[server]
listen = "127.0.0.1:7"
first_bytes = { "SSH-" = "Shell" }
[services.ssh]
connect = ["192.0.2.1:22", "${to}"]
aliases = ["shell"]
`;
    assertEquals(looping(table("127.0.0.1:7")), ["first_bytes"]);
    assertEquals(looping(table("127.0.0.1:22")), []);
  });

  for (const [how, listen, services, expected] of cases) {
    test(`${how}: ${expected.join(" and ") || "none"}`, () => {
      const table = `[server]\nlisten = "${listen}"\n${services}`;
      assertEquals(looping(table), expected);
    });
  }

  test("is refused by check and by serve, and at a reload", async () => {
    const port = await freePort();
    const bad = `[server]\nlisten = "127.0.0.1:${port}"\n` +
      service("a", `127.0.0.1:${port}/a`);
    const said = /:4: services\.a.*: makes a loop \(a, a\): this server/;
    await withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(file, bad);
      for (const words of [["check", file], ["serve", "--config", file]]) {
        const { code, err } = await tcpmux(words);
        assertEquals(code, 78);
        assertMatch(err, said);
      }
    });
    await withServer('[services.a]\ntext = "a"\n', async (server, folder) => {
      writeFileSync(
        join(folder, "services.toml"),
        service("a", `127.0.0.1:${server.port}/a`),
      );
      server.signal("SIGHUP");
      await server.logged("not reloaded, the old table stays in force");
      assertEquals(await exchange(server.port, "a\r\n"), "+Go\r\na");
    }, { args: [`--listen=127.0.0.1:${port}`] });
  });

  test("is refused by forward", async () => {
    const port = await freePort();
    const { code, err } = await tcpmux([
      "forward",
      `${port}=echo`,
      `127.0.0.1:${port}`,
    ]);
    assertEquals(code, 78);
    assertMatch(err, /makes a loop \(echo, echo\)/);
  });
});

const MOST = 20;

/**
 * Asks for a loop. It ends when a limit is reached, is logged, and leaves
 * nothing behind.
 */
async function endsByLimits(
  server: RunningServer,
  ask: () => Promise<void>,
): Promise<void> {
  const before = descriptors(server.pid);
  await ask();
  const last = await server.logged(
    "connection",
    ({ outcome }) => outcome === "busy",
  );
  assertEquals(last.reason, "max_connections_per_source is reached");
  await descriptorsBackTo(before, server.pid);
  const records = server.log.filter(({ message }) => message === "connection");
  assert(records.length <= 2 * MOST, `${records.length} connections`);
}

describe("a loop that the table does not show", () => {
  const limited = `[server]\nmax_connections_per_source = ${MOST}\n`;

  test("ends: a service of itself, by an address that is another's name", async () => {
    const port = await freePort();
    // The listener is at any address; that 127.1 is one, the table cannot see.
    await withServer(
      limited + '[services.about]\ntext = "about"\n' +
        service("a", `0x7f.1:${port}/a`),
      async (server) => {
        assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
        await endsByLimits(server, async () => {
          const { conn, reply } = await ask(port, "a");
          assertEquals(reply, BUSY);
          conn.close();
        });
        assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
      },
      { args: [`--listen=0.0.0.0:${port}`] },
    );
  });

  test("ends: a client that asks a service of the server itself for it", async () => {
    const port = await freePort();
    await withServer(
      limited + `[services.self]\nconnect = "127.0.0.1:${port}"\n` +
        '[services.echo]\nbuiltin = "echo"\n',
      async (server) => {
        // A few times round is no harm.
        const twice = await exchange(port, "self\r\nself\r\necho\r\nhello");
        assertEquals(twice, "+Go\r\n+Go\r\n+Go\r\nhello");
        await endsByLimits(server, async () => {
          const said = await exchange(port, "self\r\n".repeat(5 * MOST));
          assertEquals(said, "+Go\r\n".repeat(MOST) + `${BUSY}\r\n`);
        });
      },
      { args: [`--listen=127.0.0.1:${port}`] },
    );
  });

  test("ends: a forward to itself", async () => {
    const port = await freePort();
    await withCommand(
      () => [
        "forward",
        "--json",
        `--max-connections=${MOST}`,
        `0.0.0.0:${port}=echo`,
        `0x7f.1:${port}`,
      ],
      async (forward) => {
        const before = descriptors(forward.pid);
        assertEquals(await exchange(port, "x").catch(() => ""), "");
        await forward.logged("connection", ({ outcome }) => outcome === "busy");
        await descriptorsBackTo(before, forward.pid);
      },
    );
  });
});
